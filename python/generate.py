"""Makes perigee/_types.py of docs/openapi.json: `python3 generate.py`, or `--check` to compare."""

from __future__ import annotations

import json
import keyword
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WIDTH = 116
HEAD = '''"""What a run answers, and what its results have in them: made of docs/openapi.json by generate.py, and not by hand."""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict, Union

'''


def of(schema: Any) -> str:
    """A schema as a type's expression."""
    if schema is True or schema == {}:
        return "Any"
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1]
    if "const" in schema:
        return f"Literal[{json.dumps(schema['const'])}]"
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(value) for value in schema['enum'])}]"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return union([of(one) for one in schema[key]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return union([of({**schema, "type": one}) for one in kind])
    if kind == "array":
        if "prefixItems" in schema:
            return f"list[{union(sorted({of(one) for one in schema['prefixItems']}))}]"
        return f"list[{of(schema.get('items', {}))}]"
    if kind == "object":
        # Keys that are numbers have a pattern.
        values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties", {})]
        return f"dict[str, {of(values[0])}]"
    return {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "null": "None"}.get(kind, "Any")


def union(types: list[str]) -> str:
    """One of several types."""
    some = [one for one in types if one != "None"]
    inner = some[0] if len(some) == 1 else f"Union[{', '.join(some)}]"
    return f"Optional[{inner}]" if len(some) < len(types) else inner


def wrapped(text: str, indent: str, end: str = "") -> list[str]:
    """Words in lines that are not too long."""
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) + len(end) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return [*lines, line.rstrip() + end]


def described(schema: dict[str, Any]) -> str:
    """The first paragraph of what the code says of it."""
    return schema.get("description", "").split("\n\n")[0].replace("\\", "\\\\") or "Without a description."


def fields(schema: dict[str, Any], names: list[str]) -> list[str]:
    """The lines of some fields."""
    lines = []
    for name in names:
        field = schema["properties"][name]
        if field is not True and field.get("description"):
            lines += wrapped(field["description"].replace("\n", " "), "    #: ")
        lines.append(f"    {name}: {of(field)}")
    return lines


def record(name: str, schema: dict[str, Any]) -> list[str]:
    """A class of an object; keys that may be missing are in one of their own."""
    names = list(schema["properties"])
    if any(keyword.iskeyword(one) for one in names):
        # A class cannot have such a name in it.
        pairs = [f"        {json.dumps(one)}: {json.dumps(of(schema['properties'][one]))}," for one in names]
        about = wrapped(described(schema), "# ")
        return [*about, f"{name} = TypedDict(", f'    "{name}",', "    {", *pairs, "    },", ")"]
    always = [one for one in names if one in schema.get("required", [])]
    rest = [one for one in names if one not in always]
    about = wrapped(f'"""{described(schema)}', "    ", '"""')
    if not rest:
        return [f"class {name}(TypedDict):", *about, "", *fields(schema, always)]
    lines = []
    if always:
        lines = [f"class _{name}(TypedDict):", *fields(schema, always), "", ""]
    base = f"_{name}" if always else "TypedDict"
    return [*lines, f"class {name}({base}, total=False):", *about, "", *fields(schema, rest)]


def choice(name: str, schema: dict[str, Any]) -> list[str]:
    """A type that is one of several: of objects, each is a class."""
    lines, types = [], []
    for one in schema.get("oneOf", schema.get("anyOf", [])):
        if one.get("properties"):
            part = name + "".join(word.title() for key in one["properties"] for word in key.split("_"))
            inner = {
                key: value for key, value in one["properties"].items() if value is not True and value.get("properties")
            }
            for key, value in inner.items():
                lines += [*record(f"{part}Figures", value), "", ""]
                one["properties"][key] = {"$ref": f"/{part}Figures", "description": value.get("description", "")}
            lines += [*record(part, one), "", ""]
            types.append(part)
        else:
            types.append(of(one))
    return [*lines, *wrapped(described(schema), "# "), f"{name} = {merged(types)}"]


def merged(types: list[str]) -> str:
    """Literals of one type in one."""
    words = [one[len("Literal[") : -1] for one in types if one.startswith("Literal[")]
    rest = [one for one in types if not one.startswith("Literal[")]
    return union(([f"Literal[{', '.join(words)}]"] if words else []) + rest)


def all_types(description: dict[str, Any]) -> str:
    """The whole file. Names of classes may be used before they are there; those in an alias may not."""
    schemas = description["components"]["schemas"]
    choices, records = [], []
    for name, schema in sorted(schemas.items()):
        if "properties" in schema:
            records.append(record(name, schema))
        elif "oneOf" in schema or "anyOf" in schema:
            choices.append(choice(name, schema))
        else:
            choices.append([*wrapped(described(schema), "# "), f"{name} = {of(schema)}"])
    return HEAD + "\n" + "\n\n\n".join("\n".join(lines) for lines in [*choices, *records]) + "\n"


def main() -> int:
    """Writes the file, or says that it is another one."""
    made = all_types(json.loads((HERE.parent / "docs" / "openapi.json").read_text()))
    file = HERE / "perigee" / "_types.py"
    if sys.argv[1:] == ["--check"]:
        if file.read_text() == made:
            return 0
        print(f"{file} is not made of docs/openapi.json: ./x bless writes it anew", file=sys.stderr)
        return 1
    file.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
