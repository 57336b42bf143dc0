"""However a command is spelled, rules that forbid it and guards see it."""

import shlex
import tomllib
from pathlib import Path

import pytest

from code_core.safety.confirm_guard import guard_of
from code_core.safety.rules import strictest
from code_core.safety.rules_file import parse_rules
from code_core.safety.statements import statements

RULES = parse_rules(
    tomllib.loads(
        "".join(
            f"[[rule]]\npattern = {pattern}\ndecision = 'forbidden'\n"
            for pattern in (
                ["git", "push"],
                ["npm", "publish"],
                ["docker", "rm"],
                ["kubectl", "delete"],
                ["terraform", "apply", "-auto-approve"],
                ["git", "commit", "--no-verify"],
                ["curl", "--data=secret"],
                ["git-lfs", "push"],
                ["docker", "compose", "down"],
                ["twine", "upload"],
                ["curlie"],
                ["cargo", "publish"],
            )
        )
    ),
    "rules.toml",
)

FORBIDDEN = [
    # options before the subcommand
    "git -C . push",
    "git -c x=y push",
    "git --git-dir .git --no-pager push",
    "git --exec-path=/x push",
    "git --no-such-option push",
    "npm --silent publish",
    "npm --prefix x publish",
    "npm publ",
    "docker --context x rm y",
    "docker -H ssh://x -D rm y",
    "kubectl -n x delete pod y",
    "kubectl --namespace=x delete pod y",
    # other names of the program
    "git-push",
    "/usr/lib/git-core/git-push --force",
    "/opt/x/git push",
    "GIT push",
    "git.exe push",
    "git send-pack x",
    "/usr/bin/gi? push",
    "git pus[h]",
    "git-lfs push",
    # options of a rule, wherever they stand
    "terraform apply x -auto-approve",
    "git commit -m x --no-verify",
    "git commit -m x --no-verif",
    "curl --data secret x",
    "curl --dat=secret x",
    # wrappers
    "env git push",
    "env -iS 'git push'",
    "env -i -S 'git push' x",
    "env -iS'git push'",
    "env --split-string 'git push'",
    "env -u X -- git push",
    "env -C /x A=1 git push",
    "sudo -u x git push",
    "sudo -nu x -- git push",
    "doas -u x git push",
    "nice -n 5 git push",
    "nice -5 git push",
    "timeout -k 1 5 git push",
    "timeout --kill-after 1 --sig=KILL 5 git push",
    "timeout --unknown 5 git push",
    "exec -a x git push",
    "command -p git push",
    "builtin command git push",
    "stdbuf -oL git push",
    "ionice -c 3 -n 7 git push",
    "/usr/bin/time -o x git push",
    "xargs -I cat git push cat",
    "xargs -n1 git push",
    "xargs --no-such git push",
    "busybox sh -c 'git push'",
    "toybox timeout 5 git push",
    "parallel git push ::: a",
    "parallel -j 4 'git push {}' ::: a",
    "parallel git ::: push pull",
    "parallel ::: 'git push' ls",
    "fd -x git push",
    "fd -xgit push",
    "fd --exec=git push",
    "find . -exec git push ';'",
    "watch -n 1 'git push'",
    "flock x -c 'git push'",
    "su x -c 'git push'",
    "gtimeout 5 git push",
    # other names of programs and subcommands
    "npm.cmd publish",
    "docker container rm x",
    "docker --context x container rm y",
    "docker-compose -f x down",
    "cargo +nightly publish",
    # what runs packages, modules and other versions
    "npx npm publish",
    "npx -y npm@10 publish",
    "npx -p npm npm publish",
    "npx --package=npm -- npm publish",
    "bunx npm publish",
    "corepack npm@9 publish",
    "yarn dlx npm publish",
    "yarn workspace x npm publish",
    "volta run --node 18 npm publish",
    "nvm exec 18 npm publish",
    "uvx --from twine twine upload x",
    "python3.12 -m twine upload x",
    "python -I -m twine upload x",
    "python -W ignore -Im twine upload x",
    "python -mtwine upload x",
    "py -3 -m twine upload x",
    "pdm run git push",
    "hatch run git push",
    "dotenv -f x git push",
    "dotenv -- git push",
    "doppler run -- git push",
    "aws-vault exec x -- git push",
    "sg docker 'docker rm x'",
    "screen -dm git push",
    "nodemon --exec 'git push'",
    "watchexec -- git push",
    "split --filter='git push' x",
    "git grep -O'git push' x",
    # shells of Windows
    "cmd.exe /c git push",
    "cmd /c 'cd x && git push'",
    "powershell -NoProfile -Command 'git push'",
    "pwsh -Command git push",
    "wsl git push",
    "tmux new-session -d 'git push'",
    # options, variables and settings that hold a command
    "tar --to-command='git push' -xf x",
    "tar -xf x --checkpoint=1 --checkpoint-action=exec='git push'",
    "rsync -e 'git push' a b:",
    "ssh -o ProxyCommand='git push' x",
    "ssh -oProxyCommand='git push' x",
    "man -P 'git push' ls",
    "sort --compress-prog='git push' x",
    "make --eval='$(shell git push)'",
    "git -c core.pager='git push' log",
    "git -c alias.x=push x",
    "git -c alias.x='!git push' x",
    "git config alias.x push",
    "git config core.hooksPath 'x; git push'",
    "git rebase -x 'git push' main",
    "git fetch --upload-pack='git push' x",
    "git filter-branch --tree-filter 'git push' x",
    "env GIT_SSH_COMMAND='git push' git fetch",
    "env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=alias.x GIT_CONFIG_VALUE_0='push origin' git x",
    "env PAGER='git push' man ls",
    # runners
    "uv run git push",
    "uv run --with x git push",
    "docker run -e A=b x git push",
    "kubectl exec -it x -- git push",
    "poetry run git push",
    "nix develop -c git push",
    "gdb --args git push",
    "expect -c 'spawn git push'",
    "perl -e 'exec qw(git push)'",
    # programs in other languages that show their command
    "python3 -c \"import os; os.system('git push')\"",
    "python3 -c \"import subprocess; subprocess.run(['git', 'push'])\"",
    'perl -e \'system("git", "push")\'',
    "node -e \"require('child_process').execSync('git push')\"",
    "awk 'BEGIN { system(\"git push\") }'",
    "perl -e 'open(F,\"git push|\")'",
    "perl -we 'system(q(git push))'",
    "ruby -e 'exec %w(git push)'",
    "php -r 'passthru(\"git push\");'",
    "cmake -E env A=b git push",
    "Rscript -e 'system(\"git push\")'",
    "guile -c '(system \"git push\")'",
    "erl -eval 'os:cmd(\"git push\").'",
    # more arguments after the command in an option
    "tar --to-command='git push origin' -xf x",
    "ssh -o ProxyCommand='git push origin' x",
    "git fetch --upload-pack='git push origin' x",
    "git clone -u 'git push origin' x",
    # more wrappers and runners
    "faketime -f -1d git push",
    "proxychains4 -q git push",
    "torsocks git push",
    "bwrap --ro-bind / / -- git push",
    "cpulimit -l 50 -- git push",
    "sem -j1 git push",
    "sshpass -p x ssh h git push",
    "cross-env A=b git push",
    "systemd-nspawn -D / git push",
    "/lib64/ld-linux-x86-64.so.2 --library-path /x /usr/bin/git push",
    "start-stop-daemon -S -x /usr/bin/git -- push",
    "docker run --entrypoint=git x push",
    "docker run --rm --entrypoint git x push",
    "flatpak run --command=git x push",
    "npm exec --call='git push'",
    "lerna exec 'git push'",
    "yash -c 'git push'",
    "osh -c 'git push'",
    "bun exec 'git push'",
    # programs whose own commands run one of the shell
    "vim +'!git push'",
    "gdb -batch -ex 'shell git push'",
    "gdb -batch -ex '!git push'",
    "sqlite3 x '.shell git push'",
    "psql -c '\\! git push'",
    "sed '1e git push' x",
    "sed 's/x/git push/e' y",
    "ipython -c '!git push'",
]
FREE = [
    "git status",
    "git -C push status",
    "git commit -m 'git push'",
    "git log --grep push",
    "git pull",
    "npm --silent test",
    "npm run publisher",
    "docker ps",
    "kubectl -n delete get pods",
    "git commit -m x",
    "git commit -- --no-verify",
    "terraform apply",
    "curl --data=other x",
    "xargs -I push git status push",
    "timeout 5 git commit -m 'git push'",
    "env -u push git status",
    "sudo -u push git status",
    "grep -r 'git push' .",
    "python3 -c \"print('git push')\"",
    "python3 push.py git",
    "X=push; git status; echo $X",
    "for x in push; do echo $x; done",
    "git-lfs pull",
    "docker rmi x",
    "docker run x git status",
    "uv run pytest -k push",
    "echo git push",
    "ls git push",
    "find . -name push -exec git status ';'",
    # a word of a rule that is not a command
    "ls dist/*",
    "cat bin/curlie",
    "case $1 in\n  curlie) ls;;\n  x|curlie) ls;;\n  [a-z]*) ls;;\n  *) ls;;\nesac",
    "case $1 in (curlie) ls;; (*) ls;; esac",
    "npx eslint curlie",
    "npx -y prettier --check curlie",
    "python -m pytest curlie",
    "python x.py -m curlie",
    "docker-compose up",
    "docker container ls",
    "cat > x.md <<E\ngit push\nE\nchmod +x build.sh",
    "chmod +x build.sh && ./build.sh push",
    "sed 's/git push/x/' y",
    "sed -e 's/^/git push/' y",
    "vim git push",
    "psql -c 'select 1'",
    "printf '%s' 'a[git push]'",
]


def forbidden(*argv: str) -> bool:
    return strictest(RULES, statements(argv)) is not None


@pytest.mark.parametrize("command", FORBIDDEN)
def test_a_forbidding_rule_applies_to_every_spelling(command: str) -> None:
    assert forbidden(*shlex.split(command))
    assert forbidden("bash", "-lc", command)


def test_a_script_of_ordinary_size_is_understood() -> None:
    script = (Path(__file__).parents[3] / "dev").read_text()
    assert len(statements(["bash", "-c", script])) > 20


@pytest.mark.parametrize("command", FREE)
def test_a_forbidding_rule_does_not_apply_to_similar_commands(command: str) -> None:
    assert not forbidden("bash", "-lc", command)


@pytest.mark.parametrize(
    ("command", "guarded"),
    [
        ("git clean -fdx -e -n", True),
        ("git clean -fdx --exclude -n", True),
        ("git clean -fdx -e x -n", False),
        ("git clean -fdx -e -n -n", False),
        ("git-clean -fd", True),
        ("git push -o --force", False),
        ("git push -o x --forc", True),
        ("git -C . push --push-option --force", False),
        ("git send-pack --force x", True),
        ("git switch -c -f", False),
        ("xargs -I cat rm cat", True),
        ("xargs -I rm cat rm", False),
        ("xargs -n 1 -P 4 rm", True),
        ("fd -xrm", True),
        ("fd --exec-batch=rm", True),
        ("RM -rf x", True),
        ("/bin/r? -rf x", True),
        ("X=rm; $X -rf x", True),
        ("X=-rf; rm $X x", True),
        ("rm -{r,f} x", True),
        ("rm${IFS}-rf${IFS}x", True),
        ("rm -vr x", True),
        ("rm --rec x", True),
        ("rm --no-preserve-root x", False),
        ("busybox rm -rf x", True),
        ("env -iS 'rm -rf x'", True),
        ("python3 -c \"import os; os.system('rm -rf x')\"", True),
        ("python3 -c \"print('rm -rf x')\"", False),
    ],
)
def test_guards_parse_options_like_the_program(command: str, guarded: bool) -> None:
    argv = ["bash", "-c", command]
    assert (guard_of(argv, statements(argv)) is not None) is guarded
