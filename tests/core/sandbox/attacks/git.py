"""What makes git run programs, and git directories that are closed."""

from core.sandbox.attacks.attack import Gap, table

_LANDLOCK: tuple[Gap, ...] = ("landlock",)

ATTACKS = [
    *table("git", {
        "its settings": 'open(".git/config", "a").write("x")',
        "replace its settings": 'open(".git/new", "w"); os.rename(".git/new", ".git/config")',
        "remove its settings": 'os.unlink(".git/config")',
        "a hook": 'open(".git/hooks/pre-commit", "w")',
        "rename the hooks": 'os.rename(".git/hooks", ".git/old")',
        "link the hooks": 'shutil.rmtree(".git/hooks"); os.symlink("..", ".git/hooks")',
        "rename .git": 'os.rename(".git", "git")',
        "replace .git": 'os.rename(".git", "git"); shutil.copytree("git", ".git"); open(".git/config", "w")',
        "a submodule's settings": 'open(".git/modules/m/config", "a").write("x")',
        "a submodule's hook": 'open(".git/modules/m/hooks/pre-commit", "w")',
        "rename a submodule": 'os.rename(".git/modules/m", ".git/modules/n")',
        "rename the submodules": 'os.rename(".git/modules", ".git/others")',
        "redirect another worktree": 'open(".git/worktrees/other/commondir", "w")',
        "settings through a hardlink": 'os.link(".git/config", "l"); open("l", "a")',
        "redirect a linked worktree": 'open("tree/.git", "w")',
        "a nested repository's settings": 'open("nested/.git/config", "a")',
        "a hook of a nested repository": 'open("nested/.git/hooks/pre-commit", "w")',
        "rename a nested repository": 'os.rename("nested", "other-nested")',
        "a repository whose HEAD was removed": 'open("headless/.git/config", "a")',
        "a hook of one whose HEAD was removed": 'open("headless/.git/hooks/pre-commit", "w")',
        "the target of a linked hook": 'open("scripts/hook", "a")',
        "a file that the settings include": 'open("included", "a")',
        "replace a linked worktree's .git": 'os.unlink("tree/.git"); os.mkdir("tree/.git")',
    }, gaps=_LANDLOCK),
    *table("git", {
        "name another repository": """
os.mkdir("fake"); open("fake/.git", "w").write(f"gitdir: {outside}/repo/.git")
open(outside + "/repo/.git/x", "w")
""",
    }),
    *table("git", {
        "a common directory of its own": 'open(".git/commondir", "w")',
        "attributes that name a filter of the user's": 'os.mkdir(".git/info"); open(".git/info/attributes", "w")',
    }, gaps=("bwrap", "landlock")),
    *table("git closed", {
        "an object": 'open(".git/objects/x", "w")',
        "the index": 'open(".git/index", "w")',
        "a branch": 'open(".git/refs/heads/x", "w")',
        "its settings": 'open(".git/config", "a")',
        "rename .git": 'os.rename(".git", "git")',
        "a nested repository's settings": 'open("nested/.git/config", "w")',
        "rename a nested repository's parent": 'os.rename("nested", "other")',
        "a deeply nested repository": 'open("a/b/c/.git/config", "w")',
        "rename above a deeply nested repository": 'os.rename("a/b", "a/x")',
        "the .git file of a worktree": 'open("tree/.git", "a")',
    }, gaps=_LANDLOCK, shut=True),
]  # fmt: skip
