"""Processes that run lectures, and kernels that begin with the libraries imported.

Importing PyTorch, Matplotlib and scikit-learn takes longer than most lectures at smoke scale. There one process (the
fork server of `multiprocessing`) imports them once; every lecture gets a process forked from it, and that process
forks the lecture's kernel before it does anything else. Nothing has run in them but imports: no thread, no socket,
no OpenMP team, whose absence in a child would make PyTorch's backward pass hang. Jupyter is told of such kernels by a
provisioner, its own way to say how kernels start.

At book scale, and where forking is not safe (macOS), a kernel starts anew, as on a reader's machine.
"""

import atexit
import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

LIBRARIES = "libraries"  # the module that imports them
INLINE = "module://matplotlib_inline.backend_inline"  # where a kernel sends its figures
PROVISIONER = "forked"
STARTING = threading.Lock()  # two lectures that begin at once must not restore each other's variables


def can_fork(scale: str) -> bool:
    """Say whether lectures run in forked kernels at this scale on this machine."""
    return scale == "smoke" and sys.platform == "linux"


def call(function: Callable, *arguments, variables: dict[str, str], forked: bool):
    """Return what a function returns in a process of its own, under these environment variables.

    forked: the kernel that it starts is a fork, with the libraries imported.

    Raises RuntimeError with the text of a RuntimeError that the function raised, or when the process died.
    """
    if forked:
        start_server(variables)
    context = multiprocessing.get_context("forkserver" if forked else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as said:
        process = context.Process(target=_serve, args=(sender, said.name, function, arguments, variables, forked))
        process.start()
        sender.close()
        try:
            result = receiver.recv()
        except EOFError:
            result = RuntimeError(f"the process of {arguments[0]} ended:\n{said.read()}")
        process.join()
    if isinstance(result, RuntimeError):
        raise result
    return result


def start_server(variables: dict[str, str]) -> None:
    """Start the process that imports the libraries, if it does not run yet."""
    with STARTING:
        before = dict(os.environ)
        os.environ.update(variables)
        os.environ.update(MPLBACKEND=INLINE, PYTHONPATH=str(Path(__file__).parent))
        multiprocessing.set_forkserver_preload([LIBRARIES])
        forkserver.ensure_running()
        os.environ.clear()
        os.environ.update(before)
    atexit.unregister(stop_server)
    atexit.register(stop_server)


def stop_server() -> None:
    """Wait for the end of the server, so that whoever measures this process counts it and all its children."""
    forkserver._forkserver._stop()


def _serve(sender, said, function, arguments, variables, forked) -> None:
    """In the new process: call the function and send what it returns; what is printed goes into the file `said`."""
    with open(said, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(variables)
    if forked:
        Spare.prepare()
    try:
        sender.send(function(*arguments))
    except RuntimeError as error:
        sender.send(error)


def import_seconds() -> float:
    """Return the processor seconds of the imports that a forked kernel of this process is spared."""
    return sys.modules[LIBRARIES].SECONDS if LIBRARIES in sys.modules else 0.0


class Spare:
    """A forked process that waits to become a kernel; to Jupyter it looks like a `subprocess.Popen`."""

    waiting: "Spare | None" = None
    stdin = stdout = stderr = None

    @classmethod
    def prepare(cls) -> None:
        """Fork the kernel that the next notebook of this process will get."""
        gc.collect()
        gc.freeze()  # so that a child's garbage collection does not copy the libraries' memory
        cls.waiting = cls()
        factory = KernelProvisionerFactory.instance()
        factory.provisioners[PROVISIONER] = EntryPoint(PROVISIONER, f"{__name__}:Forked", factory.GROUP_NAME)
        factory.default_provisioner_name = PROVISIONER

    def __init__(self):
        receiver, self.sender = multiprocessing.Pipe(duplex=False)
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self.sender.close()
            become_kernel(receiver)
        receiver.close()

    def start(self, command: list[str], cwd: str, env: dict[str, str]) -> None:
        """Let the process become the kernel that a command would start."""
        self.sender.send((command, cwd, env))

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        return self._wait(0)

    def _wait(self, options: int) -> int | None:
        if self.code is None:
            pid, status = os.waitpid(self.pid, options)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forked(LocalProvisioner):
    """Starts a kernel from the spare process; a second one in the same process starts anew."""

    async def launch_kernel(self, cmd, **kwargs):
        spare = Spare.waiting
        if spare is None:
            return await super().launch_kernel(cmd, **kwargs)
        Spare.waiting = None
        self.cwd = kwargs.get("cwd") or os.getcwd()
        self.process = spare
        self.pid = spare.pid
        self.pgid = spare.pid
        ends_with_us = f"--IPKernelApp.parent_handle={os.getpid()}"
        spare.start([*cmd, ends_with_us], str(self.cwd), kwargs["env"])
        return self.connection_info


def become_kernel(receiver) -> None:
    """Wait for a command, then be the kernel that it would start; does not return."""
    with contextlib.suppress(EOFError):  # the parent ended without a notebook
        command, cwd, env = receiver.recv()
        try:
            live_as_kernel(command, cwd, env)
        except BaseException:
            traceback.print_exc()
    sys.stdout.flush()
    os._exit(0)


def live_as_kernel(command: list[str], cwd: str, env: dict[str, str]) -> None:
    """Run a kernel here, in a state like that of a new process."""
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method(None, force=True)  # the system's own again
    installed = (sys.prefix, sys.base_prefix)
    sys.path[:] = [folder for folder in sys.path if folder.startswith(installed)]
    arguments = command[command.index("ipykernel_launcher") + 1 :]
    IPKernelApp.launch_instance(argv=arguments)
