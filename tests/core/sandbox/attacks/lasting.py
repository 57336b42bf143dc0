"""What would outlive the call: processes left behind, and files that run programs later."""

from core.sandbox.attacks.attack import Attack, table

_HOME = (".bashrc", ".profile", ".zshenv", ".ssh/authorized_keys", ".gitconfig", ".config/autostart/x.desktop",
         ".config/systemd/user/x.service", ".local/bin/ls", ".npmrc", ".pythonrc", ".vimrc", ".tmux.conf")  # fmt: skip
_SYSTEM = ("/etc/cron.d", "/var/spool/cron/crontabs", "/etc/profile.d", "/etc/systemd/system", "/var/spool/at",
           "/usr/local/bin", "/etc/ld.so.conf.d", "/etc/sudoers.d", "/root", "/run", "/var/tmp")  # fmt: skip

ATTACKS = [
    *table("persistence", {f"~/{name}": f'open(outside + "/home/{name}", "a").write("x")' for name in _HOME}),
    *table("persistence", {
        f"a file in {folder}": f'path = "{folder}/" + ident; open(path, "w"); os.unlink(path)' for folder in _SYSTEM
    }),
    *[Attack("outliving", name, program, proof="process") for name, program in {
        "in a session of its own": "subprocess.Popen(sleeper, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)",
        "without an environment": """
subprocess.Popen(sleeper, env={}, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
""",
        "deaf to signals": """
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen(sleeper, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
""",
        "abandoned twice": """
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        for fd in range(3): os.close(fd)
        os.execv(sleeper[0], sleeper)
    os._exit(0)
os.wait()
""",
        "forking all the time": """
import time
if os.fork() == 0:
    os.setsid()
    for fd in range(3): os.close(fd)
    for _ in range(200):
        if os.fork():
            os._exit(0)
        os.spawnv(os.P_NOWAIT, sleeper[0], sleeper)
        time.sleep(0.01)
    os._exit(0)
""",
    }.items()],
]  # fmt: skip
