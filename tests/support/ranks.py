"""Real processes joined by gloo, forked from the test so that nothing is imported twice."""

import contextlib
import io
import multiprocessing
import os
import socket
import traceback
from datetime import timedelta

import torch

from linrep.population.sharding import team

KILLED = "killed"
"""The answer of a rank that ended without one."""
WAIT = timedelta(seconds=60)


def on_ranks(ranks, body):
    """What ``body(team)`` returns on every rank (plain data and tensors); an error there is one here."""
    context = multiprocessing.get_context("fork")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipes, processes = [], []
    for rank in range(ranks):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(rank, ranks, port, body, theirs), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    found = []
    for pipe, process in zip(pipes, processes, strict=True):
        assert pipe.poll(WAIT.total_seconds() * 2), "a rank hangs"
        try:
            found.append(torch.load(io.BytesIO(pipe.recv_bytes()), weights_only=False))
        except EOFError:
            found.append(KILLED)
        process.join(10)
    errors = [answer for answer in found if isinstance(answer, str) and answer.startswith("Traceback")]
    assert not errors, errors[0]
    return found


def _work(rank, ranks, port, body, pipe):
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    try:
        with contextlib.redirect_stdout(io.StringIO()), team(timeout=WAIT) as joined:
            answer = body(joined)
    except BaseException:
        answer = traceback.format_exc()
    buffer = io.BytesIO()
    torch.save(answer, buffer)
    pipe.send_bytes(buffer.getvalue())
    pipe.close()
    os._exit(0)
