# SPDX-License-Identifier: Apache-2.0
"""One repository beside a model of plain dictionaries: whatever is done to both, both show the same."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lakehouse.core.errors import (
    BranchExists,
    DefaultBranchDeletion,
    DirtyBranch,
    MergeConflict,
    NoChanges,
    ObjectNotFound,
    ParentRequired,
    PreconditionFailed,
    RevertParentRequired,
)
from lakehouse.core.paths import grouped
from lakehouse.core.records import PathEntry
from lakehouse.meta import staging as staged_rows
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit, compact, merge, pick, reset
from lakehouse.versioning.history import conflicts, diff
from lakehouse.versioning.objects import listing, objects, prefixes
from lakehouse.versioning.refs import branches, tags
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.staged import usage
from lakehouse.versioning.work import sweeping
from tests.lakes import ANN, error_of, link, open_lake, seal

REPO = "lakes"
PATHS = [path.encode() for path in ("a", "a/b", "a/b/c", "a/c", "a0", "b/", "b/x", "b/x/y", "c//d", "d", "ä/ö", "z")]
RESTORED = 3
"""Paths that a reset takes back in one transaction, in place of a thousand."""
NAMES = ["main", "one", "two", "six"]
path_of = st.sampled_from(PATHS)
value_of = st.sampled_from(["v1", "v2", "v3"])
name_of = st.sampled_from(NAMES)
target_of = st.sampled_from([b"a", b"a/", b"b/x/", b"m/"])
prefix_of = st.sampled_from([b"", b"a", b"a/", b"a/b", b"b", b"c/", b"x"])


async def commit_of(merging):
    return (await merging).commit


class ModelCommit:
    """A commit as the model has it: its tree, its parents, and the generation that decides between merge bases."""

    def __init__(self, made, tree, parents):
        self.id, self.generation = made.id, made.generation
        self.tree, self.parents = tree, parents

    def ancestors(self):
        found, todo = {}, [self]
        while todo:
            one = todo.pop()
            if one.id not in found:
                found[one.id] = one
                todo += one.parents
        return found


class ModelBranch:
    """A head, what a base changes, rows that a commit sealed, and rows above them; None is a tombstone."""

    def __init__(self, head):
        self.head, self.base, self.sealed, self.current = head, {}, {}, {}

    @property
    def shows(self):
        rows = self.head.tree | self.base | self.sealed | self.current
        return {path: value for path, value in rows.items() if value is not None}

    def seal(self):
        self.sealed, self.current = self.sealed | self.current, {}

    def clear(self):
        self.base, self.sealed, self.current = {}, {}, {}

    def compact(self):
        shows, head = self.shows, self.head.tree
        self.clear()
        self.base = {path: shows.get(path) for path in kinds(head, shows)}

    def move(self, head):
        self.head = head
        self.base = {path: value for path, value in self.base.items() if head.tree.get(path) != value}

    def restore(self, wanted):
        for path in [path for path in self.current if wanted(path)]:
            del self.current[path]
        below = {path: self.head.tree.get(path) for path in self.base | self.sealed if wanted(path)}
        if len(below) > RESTORED:  # they go under a token of their own
            self.seal()
            self.sealed |= below
        else:
            self.current |= below


def merged(base, ours, theirs, strategy):
    """The tree and whether there was a conflict."""
    out, conflict = dict(ours), False
    for path in set(base) | set(theirs):
        was, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if other in (was, mine):
            continue
        if mine == was or strategy == "source-wins":
            out[path] = other
        elif strategy != "dest-wins":
            conflict = True
    return {path: value for path, value in out.items() if value is not None}, conflict


def kinds(left, right):
    """What `diff` says of two trees."""
    found = {}
    for path in set(left) | set(right):
        if path not in left:
            found[path] = "added"
        elif path not in right:
            found[path] = "removed"
        elif left[path] != right[path]:
            found[path] = "changed"
    return found


def rolled_up(keys, query):
    """The paths of a listing's items."""
    items = {grouped(key, query.prefix, query.delimiter) or key for key in keys if key.startswith(query.prefix)}
    return sorted(item for item in items if item > query.after)


def value_in(entry):
    return (entry.checksum, entry.content_type, tuple(sorted(entry.metadata.items())))


class LakeMachine(RuleBasedStateMachine):
    cluster = None
    """A PostgreSQL server to work on, in place of a file."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lake-"))
        # Small pages everywhere, so that a dozen paths make several.
        self.patches = [
            patch.object(listing, "LEAST", 1),
            patch.object(listing, "MOST", 3),
            patch.object(staged_rows, "PAGE", 2),
            patch.object(reset, "AT_ONCE", RESTORED),
        ]
        for one in self.patches:
            one.start()
        self.runner = asyncio.Runner()
        self.open = ExitStack()
        place = self.open.enter_context(self.cluster.place()) if self.cluster else self.folder / "metadata.sqlite"
        self.lake = self.run(open_lake(place))
        self.clock = self.lake.clock
        self.run(create_repository(self.lake, RepositoryRequest(name=REPO)))
        first = self.run(commit.commit(self.lake, REPO, "main", commit.CommitRequest("", allow_empty=True), ANN))
        self.commits = [ModelCommit(first, {}, [])]
        self.branches = {"main": ModelBranch(self.commits[0])}
        self.tags = {}

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def teardown(self):
        self.run(self.lake.background.drain())
        self.run(self.lake.db.close())
        self.runner.close()
        self.open.close()
        for one in self.patches:
            one.stop()
        shutil.rmtree(self.folder)

    def expect(self, error, coroutine):
        """Run it; it raises exactly this error, or none."""
        assert self.run(error_of(coroutine)) is error

    def branch(self, name):
        return self.branches.get(name) or self.branches["main"], name if name in self.branches else "main"

    def landed(self, model, made, tree, parents):
        new = ModelCommit(made, tree, parents)
        self.commits.append(new)
        model.head = new

    # -- writes --------------------------------------------------------------------------------------------------------

    @rule(name=name_of, path=path_of, value=value_of)
    def links(self, name, path, value):
        model, name = self.branch(name)
        self.run(link(self.lake, REPO, name, path, value))
        model.current[path] = (value, "", ())

    @rule(name=name_of, path=path_of, value=value_of)
    def links_if_absent(self, name, path, value):
        model, name = self.branch(name)
        there = path in model.shows
        self.expect(PreconditionFailed if there else None, link(self.lake, REPO, name, path, value, if_absent=True))
        if not there:
            model.current[path] = (value, "", ())

    @rule(name=name_of, path=path_of, value=value_of)
    def uploads(self, name, path, value):
        model, name = self.branch(name)
        done = self.run(objects.upload_object(self.lake, REPO, name, objects.Upload(path), value.encode()))
        assert done.entry.checksum == hashlib.md5(value.encode()).hexdigest()
        model.current[path] = value_in(done.entry)

    @rule(name=name_of, path=path_of, keep=st.booleans())
    def deletes(self, name, path, keep):
        model, name = self.branch(name)
        self.run(objects.delete_object(self.lake, REPO, name, path, no_tombstone=keep))
        if keep:
            model.current.pop(path, None)
        else:
            model.current[path] = None

    @rule(name=name_of, path=path_of, label=value_of)
    def sets_metadata(self, name, path, label):
        model, name = self.branch(name)
        there = model.shows.get(path)
        self.expect(
            None if there else ObjectNotFound,
            objects.update_object_user_metadata(self.lake, REPO, name, path, {"label": label}),
        )
        if there:
            model.current[path] = (*there[:2], (("label", label),))

    @rule(name=name_of, source=prefix_of, to=target_of, moving=st.booleans(), overwrite=st.booleans())
    def copies_or_moves_a_prefix(self, name, source, to, moving, overwrite):
        model, name = self.branch(name)
        if source == to:
            return
        work = prefixes.move_prefix if moving else prefixes.copy_prefix
        wish = prefixes.PrefixRequest(source, to, overwrite=overwrite)
        shows = model.shows
        taken = {path: value for path, value in shows.items() if path.startswith(source)}
        made = {to + path[len(source) :]: value for path, value in taken.items()}
        left = shows.keys() - taken.keys() if moving else shows.keys()
        error = None if taken else ObjectNotFound
        if taken and not overwrite and made.keys() & left:
            error = PreconditionFailed
        self.expect(error, work(self.lake, REPO, name, wish, allow=lambda old, new: None))
        model.seal()
        if error is None:
            model.sealed |= (dict.fromkeys(taken) if moving else {}) | made

    # -- commits and their like ----------------------------------------------------------------------------------------

    @rule(name=name_of, empty=st.booleans())
    def commits_it(self, name, empty):
        model, name = self.branch(name)
        request = commit.CommitRequest("m", allow_empty=empty)
        tree = model.shows
        if tree == model.head.tree and not empty:
            self.expect(NoChanges, commit.commit(self.lake, REPO, name, request, ANN))
            model.seal()
            return
        self.landed(model, self.run(commit.commit(self.lake, REPO, name, request, ANN)), tree, [model.head])
        model.clear()

    @rule(name=name_of, path=path_of, values=st.lists(value_of, max_size=3))
    def commits_die_after_their_seals(self, name, path, values):
        model, name = self.branch(name)
        for value in values:
            self.links(name, path, value)
            self.run(seal(self.lake, REPO, name))
            model.seal()
        self.run(seal(self.lake, REPO, name))
        model.seal()

    @rule(name=name_of, source=name_of, path=path_of, value=value_of, backwards=st.booleans())
    def merges_over_rows_that_change_nothing(self, name, source, path, value, backwards):
        """Rows that are no change are staged where a merge brings the same path."""
        (_, name), (_, source) = self.branch(name), self.branch(source)
        self.resets_all(name)
        self.deletes(name, path, False)
        if self.branches[name].shows != self.branches[name].head.tree:
            self.commits_it(name, False)
            self.deletes(name, path, False)
        if source != name:
            self.links(source, path, value)
            self.commits_it(source, True)
            self.merges(name, 0, "source-wins" if backwards else "", False, False)

    @rule(
        name=name_of,
        source=st.integers(0, 9),
        strategy=st.sampled_from(["", "dest-wins", "source-wins"]),
        empty=st.booleans(),
        squash=st.booleans(),
    )
    def merges(self, name, source, strategy, empty, squash):
        model, name = self.branch(name)
        theirs = self.commits[-1 - source % len(self.commits)]
        request = merge.MergeRequest(strategy=strategy, allow_empty=empty, squash=squash)
        ours = model.head.ancestors()
        common = [one for one in theirs.ancestors().values() if one.id in ours]
        base = max(common, key=lambda one: (one.generation, one.id))
        tree, conflict = merged(base.tree, model.head.tree, theirs.tree, strategy)
        unchanged = not kinds(base.tree, theirs.tree)
        error = NoChanges if unchanged and not empty else MergeConflict if conflict else None
        parents = [model.head] if squash else [model.head, theirs]
        work = commit_of(merge.merge_into_branch(self.lake, REPO, theirs.id, name, request, ANN))
        self.lands_if_clean(model, work, error, tree, parents)

    async def merged_commit(self, source, name, request):
        return (await merge.merge_into_branch(self.lake, REPO, source, name, request, ANN)).commit

    def lands_if_clean(self, model, work, error, tree, parents):
        if model.shows != model.head.tree:
            self.expect(DirtyBranch, work)
            return
        if error is None:
            self.landed(model, self.run(work), tree, parents)
            model.clear()
        else:
            self.expect(error, work)
            model.seal()

    @rule(name=name_of, which=st.integers(0, 9), backwards=st.booleans())
    def reverts_or_picks(self, name, which, backwards):
        model, name = self.branch(name)
        one = self.commits[-1 - which % len(self.commits)]
        if len(one.parents) > 1:
            if backwards:
                work = pick.revert_branch(self.lake, REPO, name, ref=one.id, parent_number=0, actor=ANN)
                self.expect(RevertParentRequired, work)
            else:
                work = pick.cherry_pick(self.lake, REPO, name, ref=one.id, parent_number=None, actor=ANN)
                self.expect(ParentRequired, work)
            return
        before = one.parents[0].tree if one.parents else {}
        if backwards:
            tree, conflict = merged(one.tree, model.head.tree, before, "")
            work = pick.revert_branch(self.lake, REPO, name, ref=one.id, parent_number=0, actor=ANN)
        else:
            tree, conflict = merged(before, model.head.tree, one.tree, "")
            work = pick.cherry_pick(self.lake, REPO, name, ref=one.id, parent_number=None, actor=ANN)
        error = MergeConflict if conflict else NoChanges if tree == model.head.tree else None
        self.lands_if_clean(model, work, error, tree, [model.head])

    # -- resets --------------------------------------------------------------------------------------------------------

    @rule(name=name_of)
    def resets_all(self, name):
        model, name = self.branch(name)
        self.run(reset.reset_branch(self.lake, REPO, name))
        model.clear()

    @rule(name=name_of, path=path_of)
    def resets_object(self, name, path):
        model, name = self.branch(name)
        self.run(reset.reset_object(self.lake, REPO, name, path))
        model.restore(lambda key: key == path)

    @rule(name=name_of, prefix=prefix_of)
    def resets_prefix(self, name, prefix):
        model, name = self.branch(name)
        self.run(reset.reset_prefix(self.lake, REPO, name, prefix))
        model.restore(lambda key: key.startswith(prefix))

    @rule(name=name_of, which=st.integers(0, 9))
    def resets_head(self, name, which):
        model, name = self.branch(name)
        target = self.commits[-1 - which % len(self.commits)]
        self.run(reset.hard_reset_branch(self.lake, REPO, name, ref=target.id, actor=ANN))
        model.move(target)

    # -- compaction ----------------------------------------------------------------------------------------------------

    @rule(name=name_of)
    def compacts(self, name):
        model, name = self.branch(name)
        _, branch = self.run(resolve.branch(self.lake, REPO, name))
        self.run(compact.compact(self.lake, REPO, branch, anyway=True))
        model.compact()

    @rule(name=name_of, path=path_of, value=value_of, which=st.integers(0, 9))
    def moves_over_a_base(self, name, path, value, which):
        """What a base brings stays on top of another head, with rows over it or none."""
        self.links(name, path, value)
        self.compacts(name)
        self.resets_head(name, which)

    # -- refs ----------------------------------------------------------------------------------------------------------

    @rule(name=name_of, source=name_of)
    def creates_branch(self, name, source):
        model, source = self.branch(source)
        there = name in self.branches
        work = branches.create_branch(self.lake, REPO, name, source=source, actor=ANN)
        self.expect(BranchExists if there else None, work)
        if not there:
            self.branches[name] = ModelBranch(model.head)

    @precondition(lambda self: len(self.branches) > 1)
    @rule(name=name_of)
    def deletes_branch(self, name):
        _, name = self.branch(name)
        work = branches.delete_branch(self.lake, REPO, name)
        self.expect(DefaultBranchDeletion if name == "main" else None, work)
        if name != "main":
            del self.branches[name]

    @rule(name=name_of)
    def tags_it(self, name):
        model, name = self.branch(name)
        tag = f"t.{len(self.tags)}"
        self.run(tags.create_tag(self.lake, REPO, tag, ref=name))
        self.tags[tag] = model.head

    # -- time ----------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.3, 1, 700]))
    def time_goes_by(self, seconds):
        self.clock.now += seconds
        self.run(self.lake.background.drain())
        self.run(sweeping.sweep(self.lake))

    # -- reads ---------------------------------------------------------------------------------------------------------

    def ref(self, name, kind):
        model, name = self.branch(name)
        if kind == "staging":
            return name + "$", model.shows
        if kind == "head":
            return name + "@", model.head.tree
        if kind == "tag" and self.tags:
            tag = max(self.tags)
            return tag, self.tags[tag].tree
        return name, model.shows

    @rule(
        name=name_of,
        kind=st.sampled_from(["branch", "branch", "staging", "head", "tag"]),
        prefix=prefix_of,
        after=st.sampled_from([b"", b"a", b"a/", b"a/b", b"a/b/", b"b", b"b/x", b"c/", b"zz"]),
        delimiter=st.sampled_from([b"", b"/", b"b", b"//"]),
        amount=st.integers(1, 6),
    )
    def lists(self, name, kind, prefix, after, delimiter, amount):
        ref, tree = self.ref(name, kind)
        query = listing.Query(prefix=prefix, after=after, delimiter=delimiter, amount=amount)
        expected = rolled_up(tree, query)
        _, page = self.run(listing.list_objects(self.lake, REPO, ref, query))
        assert [item.path for item in page.items] == expected[:amount]
        assert page.has_more == (len(expected) > amount)
        for item in page.items:
            if isinstance(item, PathEntry):
                assert value_in(item.entry) == tree[item.path]

    @rule(name=name_of, kind=st.sampled_from(["branch", "staging", "head", "tag"]), path=path_of)
    def stats(self, name, kind, path):
        ref, tree = self.ref(name, kind)
        work = objects.stat_object(self.lake, REPO, ref, path)
        if path in tree:
            assert value_in(self.run(work).entry) == tree[path]
        else:
            self.expect(ObjectNotFound, work)

    @rule(name=name_of, kind=st.sampled_from(["branch", "staging", "head", "tag"]), prefix=prefix_of)
    def counts(self, name, kind, prefix):
        ref, tree = self.ref(name, kind)
        found = self.run(usage.get_prefix_usage(self.lake, REPO, ref, prefix))
        sizes = [3 if value[0].startswith("v") else 2 for path, value in tree.items() if path.startswith(prefix)]
        assert (found.objects, found.bytes) == (len(sizes), sum(sizes))

    @rule(
        name=name_of,
        prefix=prefix_of,
        after=st.sampled_from([b"", b"a/b", b"b/"]),
        delimiter=st.sampled_from([b"", b"/"]),
        amount=st.integers(1, 5),
    )
    def diffs_branch(self, name, prefix, after, delimiter, amount):
        model, name = self.branch(name)
        query = listing.Query(prefix=prefix, after=after, delimiter=delimiter, amount=amount)
        page = self.run(diff.diff_branch(self.lake, REPO, name, query))
        self.same_changes(page, kinds(model.head.tree, model.shows), query)

    @rule(left=name_of, right=name_of, delimiter=st.sampled_from([b"", b"/"]), amount=st.integers(1, 5))
    def diffs_two_dots(self, left, right, delimiter, amount):
        (one, left), (other, right) = self.branch(left), self.branch(right)
        query = listing.Query(delimiter=delimiter, amount=amount)
        page = self.run(diff.diff_refs(self.lake, REPO, left, right, query, two_dot=True))
        self.same_changes(page, kinds(one.head.tree, other.head.tree), query)
        page = self.run(diff.diff_refs(self.lake, REPO, left, right + "$", query, two_dot=True))
        self.same_changes(page, kinds(one.head.tree, other.shows), query)

    @rule(left=name_of, right=name_of, amount=st.integers(1, 5))
    def diffs_three_dots(self, left, right, amount):
        (one, left), (other, right) = self.branch(left), self.branch(right)
        query = listing.Query(amount=amount)
        mine, theirs = one.head.ancestors(), other.head.ancestors()
        base = max((mine[key] for key in mine.keys() & theirs), key=lambda found: (found.generation, found.id)).tree
        expected = kinds(base, other.head.tree)
        for path in expected:
            if one.head.tree.get(path) not in (base.get(path), other.head.tree.get(path)):
                expected[path] = "conflict"
        page = self.run(diff.diff_refs(self.lake, REPO, left, right, query, two_dot=False))
        self.same_changes(page, expected, query)
        clashes = sorted(path for path, kind in expected.items() if kind == "conflict")
        _, found = self.run(conflicts.list_merge_conflicts(self.lake, REPO, right, left, query))
        assert [item.path for item in found.items] == clashes[:amount]
        assert found.has_more == (len(clashes) > amount)

    def same_changes(self, page, expected, query):
        paths = rolled_up(expected, query)
        assert [item.path for item in page.items] == paths[: query.amount]
        assert page.has_more == (len(paths) > query.amount)
        for item in page.items:
            assert item.kind.value == expected.get(item.path, "prefix_changed") or item.kind.value == "prefix_changed"

    @invariant()
    def heads_are_as_they_should_be(self):
        if not hasattr(self, "branches"):
            return
        found = self.run(branches.list_branches(self.lake, REPO, prefix="", after="", amount=100))
        assert {ref.name: ref.commit_id for ref in found.items} == {
            name: model.head.id for name, model in self.branches.items()
        }

    @invariant()
    def branches_show_what_they_should(self):
        query = listing.Query(amount=100)
        for name, model in getattr(self, "branches", {}).items():
            _, page = self.run(listing.list_objects(self.lake, REPO, name, query))
            assert {item.path: value_in(item.entry) for item in page.items} == model.shows


TestLake = LakeMachine.TestCase
TestLake.settings = settings(stateful_step_count=50, max_examples=2 * settings.default.max_examples)


def test_the_same_on_postgres(postgres):
    class OnPostgres(LakeMachine):
        cluster = postgres

    some = settings(stateful_step_count=40, max_examples=max(10, settings.default.max_examples // 6))
    run_state_machine_as_test(OnPostgres, settings=some)
