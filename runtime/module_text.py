"""A generated module taken apart. In: the source text of a `Program`; out: its kernels' texts, the constants each uses, its step.

The text is regular (every top-level statement starts in the first column), so lines are enough; only ``step`` is parsed.
"""

from __future__ import annotations

import ast
import re
from functools import cached_property

from weft.graph.record import record


@record(eq=False)
class ModuleText:
    """functions: name to text, constants: name to assignment, in order."""

    functions: dict[str, str]
    constants: dict[str, str]

    @staticmethod
    def split(source: str) -> ModuleText:
        """Cuts a module into its top-level functions and assignments; comments and docstrings are left out."""
        functions: dict[str, str] = {}
        constants: dict[str, str] = {}
        for block in re.split(r"^(?=[^\s#\"')\]}])", source, flags=re.M):
            if found := re.match(r"def (\w+)\(", block):
                functions[found[1]] = _without_trailer(block)
            elif found := re.match(r"(\w+)(?:: [\w.]+)? = ", block):
                constants[found[1]] = _without_trailer(block)
        return ModuleText(functions, constants)

    def constants_of(self, name: str) -> str:
        """The assignments of the constants a function names, as text to execute."""
        return self._closure(name)

    def _closure(self, name: str) -> str:
        wanted: set[str] = set()
        pending = [self.functions[name]]
        while pending:
            for word in re.findall(r"[A-Za-z_]\w*", pending.pop()):
                if word in self.constants and word not in wanted:
                    wanted.add(word)
                    pending.append(self.constants[word].partition("=")[2])
        return "".join(text for name, text in self.constants.items() if name in wanted)

    @cached_property
    def step(self) -> ast.FunctionDef:
        """The syntax tree of ``step``. ValueError if the module has none."""
        if "step" not in self.functions:
            raise ValueError("A generated module needs a function called step.")
        (node,) = ast.parse(self.functions["step"]).body
        assert isinstance(node, ast.FunctionDef)
        return node


def _without_trailer(block: str) -> str:
    """The block up to its last indented or first line: comments between functions belong to nobody."""
    lines = block.rstrip().split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].startswith("#")):
        lines.pop()
    return "\n".join(lines) + "\n"
