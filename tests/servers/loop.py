"""An asyncio server in a thread of its own, for servers that the tests look inside."""

import asyncio
import threading

__all__ = ["LoopServer"]

_TURNS = 8  # of the loop, in which connections that are being made or closed are so


class LoopServer:
    """
    A listening server with an event loop in a thread.

    Args:
        start: A coroutine function that gives the ``asyncio.Server``.

    Attributes:
        port: Where it listens.

    """

    def __init__(self, start):
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(start())
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def stop(self):
        """End it and every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self):
        self._server.close()
        # A connection that is being accepted right now is let in first: a task of asyncio's own
        # that is cancelled there would leave its socket open.
        await _turn_over()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await _turn_over()


async def _turn_over():
    for _ in range(_TURNS):
        await asyncio.sleep(0)
