"""What a mapping between scapy's layers and our headers is made of."""

import ipaddress


class Part:
    """A header of ours in a layer of scapy's: where it begins, whether it is an option, which dissecting leaves alone, when
    it is there, and in which of scapy's packets within the layer its fields are."""

    def __init__(self, name, fields, start=0, option=False, when=lambda layer: True, inner=lambda layer: layer):
        self.name, self.fields, self.start, self.option = name, fields, start, option
        self.inner = inner
        self.when = lambda layer: when(layer) and inner(layer) is not None


def first_of(field):
    """The first packet of a list within a layer."""
    return lambda layer: next(iter(layer.getfieldval(field) or []), None)


def bits(field, shift, width):
    """Some bits of one of scapy's fields."""
    return lambda layer: int(layer.getfieldval(field)) >> shift & ((1 << width) - 1)


def coded(field):
    """A field as it is in the packet, where scapy has translated it."""
    return lambda layer: layer.get_field(field).i2m(layer, layer.getfieldval(field))


def number(value):
    """Any of scapy's values as the number that its bytes are."""
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    if isinstance(value, str):
        if value.count(":") == 5 and "::" not in value:
            return int(value.replace(":", ""), 16)
        return int(ipaddress.ip_address(value))
    return int(value)


def value(layer, source):
    """The value of one of our fields in scapy's layer."""
    return number(source(layer) if callable(source) else layer.getfieldval(source))
