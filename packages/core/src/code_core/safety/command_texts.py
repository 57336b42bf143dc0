"""Finds commands in the arguments and variables of other programs."""

import re
from collections.abc import Callable, Iterator, Sequence

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.shell_words import SHELLS

# Programs that take a script as an argument.
RUNS_TEXTS = SHELLS | frozenset(
    "ansible apply ash autossh bun bunx byobu capsh chokidar clush cmd concurrently csh deno dsh elvish entr es eval execlineb "
    "expect fish flock fly fzf gcloud gdb hyperfine ipython lerna mispipe mksh mosh newgrp nix-shell nodemon npm npx nu oil osh "
    "parallel pdsh pee pnpm powershell pssh pwsh rbash rc runuser rush salt-call screen script sg sops ssh su tcsh tmux trap "
    "vagrant watch watchexec watchman-make wsl xonsh yarn yash ysh".split()
)
# Options and words after which a program runs another command.
RUNNING_OPTIONS = {
    "env": frozenset({"-S", "--split-string"}),
    "find": frozenset({"-exec", "-execdir", "-ok", "-okdir"}),
    "fd": frozenset({"-x", "--exec", "-X", "--exec-batch"}),
    "fdfind": frozenset({"-x", "--exec", "-X", "--exec-batch"}),
    "git": frozenset({"foreach", "run", "-x", "--exec"}),
    "docker": frozenset({"--entrypoint"}),
    "flatpak": frozenset({"--command"}),
    "podman": frozenset({"--entrypoint"}),
    "start-stop-daemon": frozenset({"-x", "--exec", "-a", "--startas"}),
}
# Options whose value is a command.
_TEXT_OPTIONS = {
    "git": frozenset(
        "-x -O -u --exec --extcmd --upload-pack --receive-pack --open-files-in-pager --tree-filter --index-filter --msg-filter "
        "--env-filter --commit-filter --parent-filter --tag-name-filter".split()
    ),
    "bat": frozenset({"--pager"}),
    "bind": frozenset({"-x"}),
    "compgen": frozenset({"-C", "-W"}),
    "complete": frozenset({"-C", "-W"}),
    "cpio": frozenset({"--rsh-command"}),
    "delta": frozenset({"--pager"}),
    "fc": frozenset({"-e"}),
    "docker": frozenset({"--entrypoint"}),
    "flatpak": frozenset({"--command"}),
    "gcloud": frozenset({"--command"}),
    "npm": frozenset({"-c", "--call"}),
    "npx": frozenset({"-c", "--call"}),
    "gpg": frozenset({"--photo-viewer"}),
    "history": frozenset({"-s"}),
    "make": frozenset({"--eval", "-E"}),
    "mapfile": frozenset({"-C"}),
    "man": frozenset({"-P", "--pager"}),
    "nodemon": frozenset({"-x", "--exec"}),
    "readarray": frozenset({"-C"}),
    "rg": frozenset({"--pre", "--hostname-bin"}),
    "rsync": frozenset({"-e", "--rsh", "--rsync-path"}),
    "scp": frozenset({"-o", "-S"}),
    "sftp": frozenset({"-o", "-S"}),
    "sort": frozenset({"--compress-program"}),
    "split": frozenset({"--filter"}),
    "ssh": frozenset({"-o"}),
    "tar": frozenset(
        "-F -I --checkpoint-action --info-script --new-volume-script --rmt-command --rsh-command --to-command "
        "--use-compress-program".split()
    ),
    "vi": frozenset({"-c", "--cmd"}),
    "vim": frozenset({"-c", "--cmd"}),
    "nvim": frozenset({"-c", "--cmd"}),
}
# Words after which a program runs a command; its own options come first.
RUNNERS = {
    "aws-vault": frozenset({"exec"}),
    "bun": frozenset({"x"}),
    "bundle": frozenset({"exec"}),
    "cargo": frozenset({"watch"}),
    "chamber": frozenset({"exec"}),
    "cmake": frozenset({"env", "time", "chdir"}),
    "cmd": frozenset({"/c", "/C", "/k", "/K"}),
    "docker": frozenset({"exec", "run", "--entrypoint"}),
    "dotenvx": frozenset({"run"}),
    "fnm": frozenset({"exec"}),
    "gdb": frozenset({"--args"}),
    "guix": frozenset({"--"}),
    "just": frozenset({"-c", "--command"}),
    "kubectl": frozenset({"exec", "run", "debug"}),
    "lerna": frozenset({"exec"}),
    "nix": frozenset({"-c", "--command"}),
    "npm": frozenset({"exec", "x"}),
    "nvm": frozenset({"exec"}),
    "perf": frozenset({"record", "stat", "trace"}),
    "pnpm": frozenset({"dlx", "exec"}),
    "podman": frozenset({"exec", "run", "--entrypoint"}),
    "powershell": frozenset({"-c", "-command", "-Command"}),
    "pwsh": frozenset({"-c", "-command", "-Command"}),
    "uv": frozenset({"run"}),
    "yarn": frozenset({"dlx", "exec", "foreach", "workspace"}),
} | dict.fromkeys(
    "conda dotenv doppler foreman hatch infisical mamba micromamba op pdm pipenv pipx pixi poetry rustup rye volta".split(),
    frozenset({"run"}),
)
# Programs whose first non-option argument begins a command.
_FLAGS = frozenset({"-q", "-y", "--no-install", "--quiet", "--yes"})
STARTERS = frozenset("bunx corepack dotenv nodemon npx pnpx screen uvx watchexec wsl".split())
RUNNING_VARIABLE = lazy_pattern(
    r"\w*(?:EDITOR|PAGER|COMMAND|ASKPASS|BROWSER|VISUAL)|GIT_SSH|GIT_EXTERNAL_DIFF|GIT_CONFIG_(?:VALUE_\d+|PARAMETERS)"
    r"|LESSOPEN|LESSCLOSE|PS4|RSYNC_RSH|TAR_OPTIONS|MAKEFLAGS"
)
"""Names of environment variables whose value is a command for some program."""

_ESCAPES = {
    "sed": lazy_pattern(r"(?:^|[\d$/;{}!~+\s])e[ \t]+(\S[^\n]*)|s(\W)(?:(?!\2).)*\2((?:(?!\2).)*)\2\w*e"),
} | dict.fromkeys(
    "dc ed ex ftp gdb ipython less lftp man more mysql nvim psql ranger sftp sqlite3 tmux vi view vim".split(),
    lazy_pattern(r"(?:^|[\s;:+(])(?:\\?!+|\.(?:shell|system)\s|shell\s|run(?:-shell)?\s)()()\s*(\S[^\n]*)"),
)
"""How programs with their own command language run shell commands: `:!rm`, `.shell rm`, `1e rm`."""

_BEFORE_COMMAND = lazy_pattern(
    r"\A\s*(?:(?:exec|ProxyCommand|LocalCommand|KnownHostsCommand)[= ]|[:!]+|sh )", re.ASCII
)

# Interpreters that take a program as an argument: the options before it; all arguments if there are none.
INTERPRETER = lazy_pattern(
    r"python[\d.]*|pypy[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs|bun|deno|php[\d.]*|lua[\d.]*|[gmn]?awk"
    r"|elixir|erl|ghc|groovy|guile|ipython|julia|m4|octave|osascript|r|racket|rscript|tclsh"
)
_PYTHON = lazy_pattern(r"py|python[\d.]*|pypy[\d.]*")
_NODE = frozenset({"node", "nodejs", "bun"})
_NODE_SCRIPT = lazy_pattern(r"(?:.*/)?([\w.-]+?)(?:-cli)?\.[cm]?js")
_MODULE = lazy_pattern(r"-[bBdEhiIOPqRsSuvVx]*m(.+)?")
_RUNS = lazy_pattern(
    r"system|print\s*\||%x|popen|exec|spawn|subprocess|Popen|\brun\b|\bcall|check_output|`|qx|\|\s*getline|\bsh\b|passthru|capture|\bopen\b[^;]*\||\bcmd\b|shell"
)
_LITERAL = lazy_pattern(
    r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`|(?:\bqq?|qw|qx|%[xw])[({/]([^)}/]*)", re.DOTALL
)
_MOST_LITERALS = 64


def started(arguments: Sequence[str], may_begin: Callable[[str], bool]) -> Iterator[Sequence[str]]:
    """Yield the commands that one of `STARTERS` may run; a word after an option is its value or begins the command."""
    after_option = False
    for index, word in enumerate(arguments):
        if word == "--":
            after_option = False
        elif word.startswith("-"):
            after_option = "=" not in word and word not in _FLAGS
        else:
            if may_begin(word):
                yield arguments[index:]
            if not after_option:
                return
            after_option = False


def module_command(name: str, arguments: Sequence[str]) -> list[str]:
    """Return the module that `python -m` runs, or the script that `node` runs, with its arguments.

    Many are programs too: `node …/npm-cli.js publish` is `npm publish`. Empty for other commands.
    """
    if name in _NODE:
        scripts = ((index, _NODE_SCRIPT.fullmatch(word)) for index, word in enumerate(arguments))
        return next(([found[1], *arguments[index + 1 :]] for index, found in scripts if found), [])
    if not _PYTHON.fullmatch(name):
        return []
    for index, word in enumerate(arguments):
        if found := _MODULE.fullmatch(word):
            return [*filter(None, found.groups()), *arguments[index + 1 :]]
        if not word.startswith("-") and (index == 0 or arguments[index - 1] not in {"-W", "-X"}):
            break
    return []


def option_texts(name: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the commands in the options of a program, such as `tar --to-command=…`."""
    options = _TEXT_OPTIONS.get("git" if name.startswith("git-") else name, frozenset())
    for index, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        if equals and option.startswith("--") and any(one.startswith(option) for one in options):
            yield _BEFORE_COMMAND.sub("", value)
        elif word in options and index + 1 < len(arguments):
            yield _BEFORE_COMMAND.sub("", arguments[index + 1])
        elif len(word) > 2 and word[:2] in options:
            yield _BEFORE_COMMAND.sub("", word[2:])


def shell_escapes(name: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the commands that a program's own language passes to a shell, as in `vim -c '!rm x'`."""
    if pattern := _ESCAPES.get(name):
        for word in arguments:
            for found in pattern.finditer(word):
                yield from filter(None, (found[1], found[3]))


def embedded_commands(name: str, arguments: Sequence[str]) -> Iterator[list[str]]:
    """Yield the commands in the string literals of a program in another language (`python -c …`).

    Each literal is a command line, and all of them together are the words of one.
    """
    if not INTERPRETER.fullmatch(name):
        return
    for word in arguments:
        if not _RUNS.search(word):
            continue
        literals = [next(filter(None, found), "") for found in _LITERAL.findall(word)][:_MOST_LITERALS]
        for start in range(min(len(literals), 8)):
            yield " ".join(literals[start:]).split()
        yield from ([literal] for literal in literals)
