"""YAML with lines: what the user wrote, and where each key and each item of a list stands.

Why not ``yaml.safe_load``: it forgets lines, lets the second of two equal keys win in silence, and reads a table
named ``on`` as True.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

#: The way to a value: keys, and numbers of items.
Path = tuple[str | int, ...]


def parse(text: str, place: str, is_word: Callable[[Path], bool]) -> tuple[Any, dict[Path, int], list[str]]:
    """The content, the line of each path, and what is wrong, each as ``place:line: problem``.

    Where ``is_word`` says so, a bare ``null`` is that word and not "nothing".
    """
    lines: dict[Path, int] = {(): 1}
    problems: list[str] = []
    loader = yaml.SafeLoader(text)

    def value(node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.MappingNode):
            return mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                lines[(*path, number)] = item.start_mark.line + 1
            return [value(item, (*path, number)) for number, item in enumerate(node.value)]
        if node.value == "null" and is_word(path):
            return "null"
        scalar = loader.construct_object(node)
        # `appointments:` with nothing behind it is a table without options.
        return {} if scalar is None and len(path) == 2 and path[0] == "tables" else scalar

    def mapping(node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            # The key as it is written: YAML would read a table named `on` or `123` as another type.
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                problems.append(f"{place}:{line}: a key must be a name")
                continue
            if key in result:
                problems.append(f'{place}:{line}: "{key}" is here twice, first on line {lines[(*path, key)]}')
            lines[(*path, key)] = line
            result[key] = value(value_node, (*path, key))
        return result

    try:
        root = loader.get_single_node()
        return (None if root is None else value(root, ())), lines, problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{place}:{mark.line + 1}" if mark else place
        return None, lines, [f"{where}: not YAML: {error.problem or error.context}"]
    except yaml.YAMLError:
        return None, lines, [f"{place}: not YAML: a character that YAML does not allow"]
