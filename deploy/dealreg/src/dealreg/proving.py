"""What a receipt, a root or a proof of the log proves, said in a sentence each. Needs no network.

Whoever holds the files and the vendor's public keys can check them with this alone. Must not fetch or
print anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dealreg_registration.domain import log_entry, merkle
from dealreg_shared import receipts
from dealreg_shared.links import bytes_of
from dealreg_shared.receipts import Root

GRACE = timedelta(minutes=1)
"""So long may a process sign on that has not heard yet that its key was retired."""


class NotAProof(Exception):
    """A file is no receipt, root, proof or key set. The message says which part."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was checked."""

    holds: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and since when it signs no more."""

    public: bytes
    retired_at: datetime | None


def keys_of(document: Any) -> dict[str, Key]:
    """The keys of a JSON Web Key Set. Raises ``NotAProof``."""
    try:
        return {
            key["kid"]: Key(bytes_of(key["x"]), _maybe_instant(key.get("retired_at")))
            for key in document["keys"]
            if key.get("crv") == "Ed25519"
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAProof("this is no JSON Web Key Set") from error


def receipt_of(document: Any) -> Mapping[str, Any]:
    """The receipt in a file: it alone, or inside the answer to a filing. Raises ``NotAProof``."""
    if isinstance(document, dict) and isinstance(document.get("receipt"), dict):
        document = document["receipt"]
    if not isinstance(document, dict) or not {"number", "registration_id"} <= document.keys():
        raise NotAProof("this is no receipt: it has no number and registration_id")
    if "signature" not in document:
        raise NotAProof("this receipt is not signed: it was given before receipts were")
    return document


def root_of(document: Any) -> Root:
    """A signed root. Raises ``NotAProof``."""
    try:
        return Root.read(document)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAProof("this is no signed root of a log") from error


class Prover:
    """Checks one thing after the other against the same keys. ``facts`` grows."""

    def __init__(self, keys: Mapping[str, Key], receipt: Mapping[str, Any]) -> None:
        self._keys = keys
        self._receipt = receipt
        self._roots: dict[int, bytes] = {}
        self.facts: list[Fact] = []

    def _say(self, holds: bool, good: str, bad: str) -> bool:
        self.facts.append(Fact(holds, good if holds else bad))
        return holds

    @property
    def holds(self) -> bool:
        """Whether everything that was checked holds."""
        return all(fact.holds for fact in self.facts)

    def signature(self) -> bool:
        """The receipt's own signature."""
        it = self._receipt
        try:
            sealed = receipts.seal_of(it)
            stated = receipts.statement(
                it["number"],
                it["registration_id"],
                it["filed_at"],
                it["plan_number"],
                it["body_hash"],
            )
            filed_at = _instant(it["filed_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise NotAProof(f"this receipt lacks something: {error}") from error
        key = self._keys.get(sealed.key_id)
        if key is None:
            return self._say(False, "", f"The key {sealed.key_id} is not in the key set.")
        good = receipts.is_sealed(stated, sealed, key.public)
        self._say(
            good,
            f"The signature is good: registration {it['registration_id']} was filed at "
            f"{it['filed_at']} under plan {it['plan_number']}.",
            "The signature does not fit what the receipt says.",
        )
        return good and self._not_retired(sealed.key_id, filed_at, "receipt")

    def body(self, body: Any) -> bool:
        """Whether ``body`` is what was filed."""
        its = self._receipt.get("body_hash")
        if its is None:
            return self._say(False, "", "The receipt speaks of no body: nothing was filed by you.")
        made = receipts.body_hash(str(self._receipt.get("salt")), receipts.canonical(body))
        return self._say(
            made == its,
            "The body is the one that was filed.",
            "The body is not the one that was filed.",
        )

    def inclusion(self, proof: Mapping[str, Any]) -> Root | None:
        """That the registration's own entry is in the log; the root that it is under."""
        try:
            root, entry, position = root_of(proof["root"]), proof["entry"], proof["position"]
            shown = log_entry.shown(
                entry["at"], entry["action"], entry["subject"], bytes.fromhex(entry["salt"])
            )
            leaf = log_entry.leaf(position, shown, bytes.fromhex(entry["hidden"]))
            path = _hashes(proof["path"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise NotAProof(f"this is no proof of inclusion: {error}") from error
        if not self.root(root):
            return None
        mine = self._receipt
        if (entry["subject"], entry["at"]) != (mine["registration_id"], mine["filed_at"]):
            self._say(False, "", "The proof is about another registration than the receipt.")
            return None
        good = merkle.includes(leaf, position, root.size, path, root.root)
        self._say(
            good,
            f"Your registration is entry {position} of the log, under the root of {root.size} entries "
            f"sealed at {root.sealed_at}.",
            f"The proof does not lead to the root of {root.size} entries: it does not show that your "
            "registration is in the log.",
        )
        return root if good else None

    def precedence(self, proof: Mapping[str, Any]) -> list[Root]:
        """That something earlier was in the log; the roots that it was under."""
        roots: list[Root] = []
        try:
            mine = proof["registration_id"] == self._receipt["registration_id"]
            parts = [
                (
                    each["product_line"],
                    _instant(each["filed_at"]),
                    root_of(each["root"]),
                    each["position"],
                    bytes.fromhex(each["entry"]),
                    _hashes(each["path"]),
                )
                for each in proof["proofs"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotAProof(f"this is no proof of precedence: {error}") from error
        if not mine:
            self._say(False, "", "The proof is about another registration than the receipt.")
            return []
        for line, filed_at, root, position, leaf, path in parts:
            if not self.root(root):
                continue
            good = (
                merkle.includes(leaf, position, root.size, path, root.root)
                and _instant(root.sealed_at) <= filed_at
                # A line added later is filed later; none is filed before its registration.
                and filed_at >= _instant(self._receipt["filed_at"])
            )
            self._say(
                good,
                f"On {line}, an earlier entry was in the log before yours was filed: entry {position} "
                f"of the {root.size} that it had then.",
                f"On {line}, the proof does not show that an earlier entry was in the log.",
            )
            if good:
                roots.append(root)
        return roots

    def grown(self, proof: Mapping[str, Any], since: Root | None = None) -> bool:
        """That the log only grew between two roots; ``since`` is the older one as it was kept."""
        try:
            old, new = root_of(proof["from"]), root_of(proof["to"])
            path = _hashes(proof["path"])
        except (KeyError, TypeError, ValueError) as error:
            raise NotAProof(f"this is no proof of consistency: {error}") from error
        if since is not None and (since.size, since.root) != (old.size, old.root):
            return self._say(
                False,
                "",
                f"The log shows another root of {old.size} entries than the one kept: it was changed.",
            )
        if not (self.root(old) and self.root(new)):
            return False
        return self._say(
            merkle.is_consistent(old.size, new.size, old.root, new.root, path),
            f"The log grew from {old.size} to {new.size} entries, and nothing before was changed.",
            f"The log of {new.size} entries does not begin with that of {old.size}: it was changed.",
        )

    def root(self, root: Root) -> bool:
        """That a root is signed. Says something only if it is not."""
        key = self._keys.get(root.key_id)
        if key is None or not root.is_signed(key.public):
            return self._say(
                False, "", f"The root of {root.size} entries is not signed by its key."
            )
        if self._roots.setdefault(root.size, root.root) != root.root:
            return self._say(
                False, "", f"Two signed roots of {root.size} entries differ: the log was forked."
            )
        return self._not_retired(root.key_id, _instant(root.sealed_at), "root")

    def _not_retired(self, key_id: str, at: datetime, what: str) -> bool:
        retired = self._keys[key_id].retired_at
        if retired is None or at <= retired + GRACE:
            return True
        return self._say(
            False, "", f"The {what} was signed with key {key_id} after that key was retired."
        )


def _hashes(listed: Any) -> list[bytes]:
    return [bytes.fromhex(each) for each in listed]


def _instant(text: Any) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone")
    return instant


def _maybe_instant(text: Any) -> datetime | None:
    return None if text is None else _instant(text)
