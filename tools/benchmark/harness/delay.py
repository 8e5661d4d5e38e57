"""A TCP proxy that makes a server seem far away.

It passes on what either side sends after half of the round trip. It runs in its own
process, so that the benchmark does not hold it up.
"""

import asyncio
import sys

CHUNK = 256 * 1024


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Copy one direction in order, each chunk with the same delay."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            due_at, chunk = await queue.get()
            if (left := due_at - loop.time()) > 0:
                await asyncio.sleep(left)
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()

    sending = asyncio.create_task(send())
    try:
        while chunk := await reader.read(CHUNK):
            queue.put_nowait((loop.time() + delay, chunk))
        queue.put_nowait((loop.time() + delay, b""))
        await sending
    except ConnectionError:
        sending.cancel()
    finally:
        writer.close()


async def serve(port: int, target: int, round_trip: float) -> None:
    """Listen on loopback until the process ends."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(
            pass_on(reader, onward_writer, round_trip / 2),
            pass_on(onward_reader, writer, round_trip / 2),
        )

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    listen, onward, milliseconds = sys.argv[1:]
    asyncio.run(serve(int(listen), int(onward), float(milliseconds) / 1000))
