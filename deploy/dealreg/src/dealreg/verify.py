"""``dealreg verify``: what a receipt proves, in sentences. Offline, or with ``--url`` fetching proofs.

A partner needs this command, its receipt and the vendor's public keys; nothing else is trusted.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from dealreg.api_client import KEY_HELP, Api, Refused, Unreachable, connect
from dealreg.proving import NotAProof, Prover, keys_of, receipt_of, root_of
from dealreg.terminal import MISUSED, refuse
from dealreg_shared.receipts import Root

KEYS_PATH = "/.well-known/jwks.json"


def verify(
    receipt: Annotated[
        Path,
        typer.Argument(
            help="The receipt as JSON, or the whole answer that it came in.", dir_okay=False
        ),
    ],
    keys: Annotated[
        str | None,
        typer.Option("--keys", help="The key set: a file, or an address.", show_default=False),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option("--body", help="What was filed, as JSON.", dir_okay=False),
    ] = None,
    proofs: Annotated[
        list[Path] | None,
        typer.Option("--proof", help="A proof, or a root that was kept; may be repeated."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="Fetch keys and proofs from here.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", envvar="DEALREG_CLIENT_KEY", help=KEY_HELP, show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Folder for what was fetched, to check it again offline."),
    ] = None,
) -> None:
    """Check a receipt: its signature, what was filed, that the log has it and only grew, that others
    were earlier. Ends with 0 if all that was checked holds, with 1 if something does not."""
    try:
        it = receipt_of(_read(receipt))
        documents = [(path, _read(path)) for path in proofs or []]
        fetched: dict[str, Any] = {}
        if url is not None:
            fetched = _fetch(url, key, it["registration_id"], [doc for _, doc in documents])
        if (key_set := fetched.pop("keys", None)) is None:
            if keys is None:
                refuse("Give the vendor's public keys: --keys FILE, or --url.", MISUSED)
            key_set = _key_set(keys)
        elif keys is not None:
            key_set = _key_set(keys)
        prover = Prover(keys_of(key_set), it)
        prover.signature()
        if body is not None:
            prover.body(_read(body))
        _check(prover, [*(doc for _, doc in documents), *fetched.values()])
    except NotAProof as error:
        refuse(f"{error}.", MISUSED)
    except (Refused, Unreachable, httpx.HTTPError) as error:
        refuse(str(error), 1)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for name, document in {"keys": key_set, **fetched}.items():
            (save / f"{name}.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    for fact in prover.facts:
        typer.echo(f"{'ok ' if fact.holds else 'NOT'}  {fact.sentence}")
    raise typer.Exit(0 if prover.holds else 1)


def _check(prover: Prover, documents: list[Any]) -> None:
    """Everything that was given. Roots that were kept are met by proofs of growth from them."""
    kept: dict[int, Root] = {}
    growth = []
    for document in documents:
        match document.get("kind") if isinstance(document, dict) else None:
            case "inclusion":
                prover.inclusion(document)
            case "precedence":
                prover.precedence(document)
            case "consistency":
                growth.append(document)
            case None:
                root = root_of(document)
                prover.root(root)
                kept[root.size] = root
            case other:
                raise NotAProof(f"{other!r} is no kind of proof")
    for document in growth:
        since = document.get("from")
        size = since.get("size", 0) if isinstance(since, dict) else 0
        prover.grown(document, kept.get(size))


def _fetch(url: str, key: str | None, registration_id: str, given: list[Any]) -> dict[str, Any]:
    """Name -> document: the keys, the proofs, and how the log grew from every root at hand."""
    documents: dict[str, Any] = {}
    with connect(url, key) as api:
        documents["keys"] = api.get(KEYS_PATH)
        documents["inclusion"] = api.get(f"/v1/registrations/{registration_id}/proof")
        precedence = _if_any(api, f"/v1/registrations/{registration_id}/precedence")
        roots = {root.size for doc in given if (root := _a_root(doc)) is not None}
        if precedence is not None:
            documents["precedence"] = precedence
            roots |= {each["root"]["size"] for each in precedence["proofs"]}
        newest = documents["inclusion"]["root"]["size"]
        for size in sorted(roots):
            if size < newest:
                documents[f"growth-from-{size}"] = api.get(
                    "/v1/transparency/consistency", **{"from": size, "to": newest}
                )
    return documents


def _a_root(document: Any) -> Root | None:
    if not isinstance(document, dict) or "kind" in document:
        return None
    return root_of(document)


def _if_any(api: Api, path: str) -> Any:
    try:
        return api.get(path)
    except Refused as refused:
        if refused.status == 404:
            return None
        raise


def _key_set(where: str) -> Any:
    if where.startswith(("https://", "http://")):
        answer = httpx.get(where, timeout=30.0)
        answer.raise_for_status()
        return _parsed(answer.text, where)
    return _read(Path(where))


def _read(path: Path) -> Any:
    try:
        return _parsed(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise NotAProof(f"{path} cannot be read: {error}") from error


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise NotAProof(f"{where} is no JSON") from error
