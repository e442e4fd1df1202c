#!/bin/sh
# Scapy 2.8.0's layer for STAMP (contrib.stamp) has the flags of a TLV the wrong way round. RFC 8972, section 4, has U (not recognised) as the
# first bit of the octet, 0x80, then M and I; Scapy builds U as 0x01, and shows an answer's 0x80 as a reserved bit: a reflector that marks a
# TLV as unknown looks as if it had not. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-2.8.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install "scapy==$VERSION"
"$work/venv/bin/python" - "$VERSION" <<'P'
import sys
from scapy.contrib.stamp import STAMPTestTLV
built = bytes(STAMPTestTLV(flags="U"))[0]
shown = str(STAMPTestTLV(bytes.fromhex("80010000")).flags)
print(f"scapy {sys.argv[1]}: U is built as 0x{built:02x}, 0x80 is shown as {shown!r}")
if built == 0x01 and shown != "U":
    print("as found: the bits are counted from the wrong end")
else:
    sys.exit("otherwise than found")
P
