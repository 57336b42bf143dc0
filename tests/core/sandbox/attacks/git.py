"""What makes git run programs, and closed git directories."""

from core.sandbox.attacks.attack import Gap, table

_LANDLOCK: tuple[Gap, ...] = ("landlock",)

ATTACKS = [
    *table("git", {
        "write the settings": 'open(".git/config", "a").write("x")',
        "replace the settings": 'open(".git/new", "w"); os.rename(".git/new", ".git/config")',
        "remove the settings": 'os.unlink(".git/config")',
        "add a hook": 'open(".git/hooks/pre-commit", "w")',
        "rename the hooks": 'os.rename(".git/hooks", ".git/old")',
        "replace the hooks with a link": 'shutil.rmtree(".git/hooks"); os.symlink("..", ".git/hooks")',
        "rename .git": 'os.rename(".git", "git")',
        "replace .git": 'os.rename(".git", "git"); shutil.copytree("git", ".git"); open(".git/config", "w")',
        "write a submodule's settings": 'open(".git/modules/m/config", "a").write("x")',
        "add a hook to a submodule": 'open(".git/modules/m/hooks/pre-commit", "w")',
        "rename a submodule": 'os.rename(".git/modules/m", ".git/modules/n")',
        "rename the submodules": 'os.rename(".git/modules", ".git/others")',
        "redirect another worktree": 'open(".git/worktrees/other/commondir", "w")',
        "write the settings through a hard link": 'os.link(".git/config", "l"); open("l", "a")',
        "redirect a linked worktree": 'open("tree/.git", "w")',
        "write a nested repository's settings": 'open("nested/.git/config", "a")',
        "add a hook to a nested repository": 'open("nested/.git/hooks/pre-commit", "w")',
        "rename a nested repository": 'os.rename("nested", "other-nested")',
        "write the settings of a repository without HEAD": 'open("headless/.git/config", "a")',
        "add a hook to a repository without HEAD": 'open("headless/.git/hooks/pre-commit", "w")',
        "write the target of a linked hook": 'open("scripts/hook", "a")',
        "write a file that the settings include": 'open("included", "a")',
        "replace .git of a linked worktree": 'os.unlink("tree/.git"); os.mkdir("tree/.git")',
    }, gaps=_LANDLOCK),
    *table("git", {
        "name another repository in a .git file": """
os.mkdir("fake"); open("fake/.git", "w").write(f"gitdir: {outside}/repo/.git")
open(outside + "/repo/.git/x", "w")
""",
    }),
    *table("git", {
        "add a commondir file": 'open(".git/commondir", "w")',
        "add attributes that use one of the user's filters": 'os.mkdir(".git/info"); open(".git/info/attributes", "w")',
    }, gaps=("bwrap", "landlock")),
    *table("all of git", {
        "write an object": 'open(".git/objects/x", "w")',
        "write the index": 'open(".git/index", "w")',
        "write a branch": 'open(".git/refs/heads/x", "w")',
        "write the settings": 'open(".git/config", "a")',
        "rename .git": 'os.rename(".git", "git")',
        "write a nested repository's settings": 'open("nested/.git/config", "w")',
        "rename a nested repository's parent": 'os.rename("nested", "other")',
        "write a deeply nested repository": 'open("a/b/c/.git/config", "w")',
        "rename a directory above a deeply nested repository": 'os.rename("a/b", "a/x")',
        "write the .git file of a worktree": 'open("tree/.git", "a")',
    }, gaps=_LANDLOCK, shut=True),
]  # fmt: skip
