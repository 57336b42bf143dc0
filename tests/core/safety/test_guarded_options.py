"""Which options make a command one that needs `confirm:`."""

from collections.abc import Iterable

import pytest

from code_core.safety.confirm_guard import HIDES, UserGuard, guard_of

GUARDED = """
    git reset
    git revert
    git restore x
    git restore -SW x
    git restore --staged --worktree x
    git restore -s -S x
    git restore -U -S x
    git restore --source -S x
    git restore --unified -S x
    git checkout x
    git checkout -B x
    git checkout -b x -f
    git checkout -b x -B y
    git checkout -b x --force
    git checkout -X -f -b x
    git switch -X -f -c x
    git switch x
    git switch -c x -f
    git switch -c x -C y
    git switch -c x --force
    git switch -c x --force-create
    git switch -c x --discard-changes
    git clean x
    git clean -f
    git clean -e -n
    git clean --exclude -n
    git rm -f x
    git rm --force x
    git checkout-index -f x
    git read-tree --reset x
    git worktree remove -f x
    git worktree remove --force x
    git stash drop
    git stash clear x
    git update-ref -d x
    git update-ref --stdin
    git update-ref -m why -d x
    git reflog expire x
    git reflog delete x
    git prune x
    git prune --expire -n
    git gc --prune=now
    git gc --prune=never --prune=all
    git filter-branch x
    git filter-repo x
    git tag -d v
    git tag -f v
    git tag --delete v
    git tag --force v
    git tag -m why -d v
    git branch -D x
    git branch -M x
    git branch -C x
    git branch -f x
    git branch --force x
    git push -f
    git push -d x
    git push --force
    git push --force-with-lease
    git push --force-if-includes
    git push --mirror
    git push --delete x
    git push --prune
    git push x +y
    git push x :y
    rm -r x
    rm -R x
    rm -f x
    rm --recursive x
    rm --force x
    trash -r x
    xargs rm
    xargs -0 rmdir
    xargs -n 1 unlink
    xargs /bin/shred
    parallel rm
    xargs sh -c rm
    find x -delete
    find x -exec rm ;
    find x -exec sh -c rm ;
    find x -exec cat {} ; -execdir rm ;
    fd x -xrm
    fd x -X/bin/rm
    fd x --exec rm
    fd x --exec=rm
    fdfind x --exec-batch=/bin/rm
    rsync a b --delete
    rsync a b --delete-before
    rsync a b --del
    rsync a b --remove-source-files
    rsync a b --delete -e -n
    rsync a b --delete -f -n
    rsync a b --delete -B -n
    rsync a b --delete -T -n
    rsync a b --delete -M -n
"""
FREE = """
    git
    git status
    git restore -S x
    git restore --staged x
    git restore -s -W -S x
    git restore -U -W -S x
    git restore --source -W -S x
    git restore --unified -W -S x
    git restore -k -S x
    git checkout -b x
    git checkout -bfix
    git checkout --orphan x
    git checkout -b x -r
    git switch -c x
    git switch -cfix
    git switch --create x
    git clean -n
    git clean -f --dry-run
    git clean -fn
    git rm -r x
    git rm x
    git checkout-index x
    git read-tree -m x
    git read-tree -t -s -e -r x
    git worktree remove x
    git worktree remove -r x
    git worktree add -f x
    git stash
    git stash push
    git update-ref x
    git update-ref -m -d x
    git reflog
    git reflog show
    git reflog expire -n x
    git reflog delete --dry-run x
    git prune -n
    git prune --dry-run
    git gc
    git gc --prune
    git gc --prune=
    git gc --prune=never
    git gc x=now
    git tag v
    git tag -m -d v
    git tag -F -d v
    git tag -u -d v
    git tag --message -d v
    git tag --file -d v
    git tag --local-user -d v
    git branch x
    git branch -m x
    git branch -d x
    git branch -u -D x
    git branch --set-upstream-to -D x
    git push x y
    git push x a:b
    git push x a+b
    git push -o -f x
    git push --push-option -f x
    git push --receive-pack -f x
    git push --exec -f x
    git push --repo -f x
    git pull --force
    rm x
    rm -i x
    trash x
    cat -rf x
    xargs cat rm
    xargs grep -l rm
    parallel ls rm
    parallel --tmpdir=/x/rm ls
    xargs sh -c ls
    xargs python rmx
    find x
    find rm -name rm
    find x -exec cat rm ;
    find x -exec sh -c ls ;
    find x -exec ls ; rm
    find x -exec touch ; rm
    find x -execs rm
    fd rm
    fd x -H rm
    fd x --hidden=rm
    ls -delete
    sh rm
    rsync a b
    rsync a b -n --delete
    rsync -X -n --delete a b
    rsync a b --delete --dry-run
    rsync a b -e --delete -n
"""
COMMANDS = [
    (tuple(line.split()), expected)
    for lines, expected in ((GUARDED, True), (FREE, False))
    for line in lines.strip().splitlines()
]


@pytest.mark.parametrize(("words", "expected"), COMMANDS)
def test_the_options_of_a_guarded_command(words: tuple[str, ...], expected: bool) -> None:
    assert (guard_of(words, [words]) is not None) is expected


@pytest.mark.parametrize(
    ("words", "expected"), [one for one in COMMANDS if one[0][0] in {"git", "rsync", "rm"} and one[0][1:]]
)
def test_irrelevant_options_have_no_effect(words: tuple[str, ...], expected: bool) -> None:
    inner = 3 if words[1:2] and words[1] in {"worktree", "stash", "reflog"} else 1 + (words[0] == "git")
    longer = (*words[:inner], "-X", *words[inner:])
    assert (guard_of(longer, [longer]) is not None) is expected


def test_the_reason_shows_the_beginning_of_the_command() -> None:
    start = ("rm", "-rf", "x" * 73)
    assert guard_of([], [start]) == f"{' '.join(start)}: deletes files permanently"
    longer = (*start[:2], "x" * 74)
    assert guard_of([], [("ls",), longer]) == f"{' '.join(start)[:79]}…: deletes files permanently"


def test_hidden_program_text_needs_a_confirmation() -> None:
    assert guard_of(["sh"], [("sh",)], hides=True) == HIDES
    assert guard_of(["sh"], [("sh",)]) is None


class _Contains:
    def __init__(self, part: str) -> None:
        self._part = part

    def matches(self, texts: Iterable[str]) -> bool:
        return any(self._part in text for text in texts)


def test_the_users_patterns_match_the_script_and_its_commands() -> None:
    def reason(pattern: str, *argv: str) -> str | None:
        return guard_of(argv, [("a", "b"), ("c",)], [UserGuard(_Contains(pattern), "why")])

    assert reason("a b; c", "sh", "-c", "a b; c") == "why"
    assert reason("x y", "x", "y") == "why"
    assert reason("a b", "x") == "why"
    assert reason("a c", "x") is None
