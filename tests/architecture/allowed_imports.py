"""A kind of import rule that import-linter lacks: these modules may import nothing but what is listed.

Named in ``.importlinter`` as type ``allowed``. Among the modules of a source package everything is
allowed. ``among`` limits the rule to imports of certain packages; without it every import counts.
"""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowedImports(Contract):
    """``source_modules`` may import ``allowed_modules`` (and what is inside them) only."""

    type_name = "allowed"

    source_modules = fields.ListField(subfield=fields.StringField())
    allowed_modules = fields.ListField(subfield=fields.StringField())
    among = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        allowed: Any = self.allowed_modules
        among: Any = self.among
        sources: Any = self.source_modules
        faults = [
            (module, imported)
            for package in sources
            for module in sorted({package} | graph.find_descendants(package))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if not _inside(imported, [package, *allowed])
            and (not among or _inside(imported, among))
        ]
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for module, imported in check.metadata["faults"]:
            output.print_error(f"{module} may not import {imported}", bold=False)


def _inside(module: str, packages: list[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
