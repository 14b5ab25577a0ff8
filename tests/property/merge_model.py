"""Merges and undos as they should be: who is whose, in plain Python. The oracle of `test_merge_machine.py`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Union:
    survivor: str
    other: str
    came: frozenset[str]
    """Identities that the other had then."""
    undone: bool = False


@dataclass
class People:
    """`owner` says whose each identity is; `over` who took whom over."""

    owner: dict[str, str]
    unions: dict[str, Union] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)

    def home(self, customer: str) -> str:
        while customer in self.over:
            customer = self.over[customer]
        return customer

    def of(self, customer: str) -> set[str]:
        return {identity for identity, whose in self.owner.items() if whose == customer}

    def merged(self, merge: str, survivor: str, other: str) -> None:
        assert survivor not in self.over, "a survivor that is somebody else's"
        assert other not in self.over, "taken over twice"
        assert survivor < other, "the younger one survived"
        came = frozenset(self.of(other))
        self.unions[merge] = Union(survivor, other, came)
        self.over[other] = survivor
        for identity in came:
            self.owner[identity] = survivor

    def undone(self, merge: str) -> None:
        union = self.unions[merge]
        later = [one for one in self.unions.values() if one.survivor == union.survivor and not one.undone]
        assert later[-1] is union, "not the last one was undone"
        assert union.survivor not in self.over, "undone while the survivor was somebody else's"
        union.undone = True
        del self.over[union.other]
        for identity in union.came:
            self.owner[identity] = union.other

    def may_undo(self, merge: str) -> bool:
        union = self.unions[merge]
        standing = [one for one in self.unions.values() if one.survivor == union.survivor and not one.undone]
        return not union.undone and union.survivor not in self.over and standing[-1] is union
