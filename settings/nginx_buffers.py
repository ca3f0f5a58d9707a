"""NGINX's buffers for responses: how many hold a response, and which combinations it starts with (ngx_http_proxy_merge_loc_conf)."""

from collections.abc import Iterator
from dataclasses import dataclass

from settings.base import Problem

LEAST = 2
"""NGINX refuses fewer proxy_buffers."""


@dataclass(frozen=True, kw_only=True)
class Buffers:
    """The buffers of one response; in both controllers all of them have one size."""

    number: int
    size_kib: int
    busy_kib: int | None
    """None: NGINX's own, two buffers."""

    @property
    def used_busy_kib(self) -> int:
        """What may be on its way to the client while the rest is read."""
        return self.busy_kib or 2 * self.size_kib

    @property
    def most_busy_kib(self) -> int:
        """NGINX keeps one buffer to read into."""
        return (self.number - 1) * self.size_kib

    @property
    def fits_kib(self) -> int:
        """Body that they hold whatever the headers leave of the first one.

        The headers are read into a buffer of their own (ngx_http_upstream_t.buffer, proxy_buffer_size), and the body's start behind them
        (preread_bufs in ngx_http_upstream_send_response). The rest is read into `number` further ones, and a temporary file is begun when all of them
        are full and the client takes nothing (ngx_event_pipe_read_upstream). With headers of h bytes a body of `number * size + size - h` bytes
        fits, in some versions one byte less; headers that are not below one buffer are refused. How many buffers are busy makes no difference.
        """
        return self.number * self.size_kib

    def mistakes(self) -> Iterator[Problem]:
        """What NGINX does not start with."""
        if self.busy_kib is None and self.used_busy_kib > self.most_busy_kib:
            yield Problem(
                "proxy_buffers_number",
                f"is {self.number}, limit: at least 3 while proxy_busy_buffers_size_kib is unset (NGINX makes two of them busy and keeps one); "
                f"raise it, or write proxy_busy_buffers_size_kib: {self.size_kib}",
            )
        elif self.used_busy_kib < self.size_kib:
            yield Problem(
                "proxy_busy_buffers_size_kib", f"is {self.busy_kib}, limit: at least {self.size_kib} (one buffer, proxy_buffer_size_kib); raise it"
            )
        elif self.used_busy_kib > self.most_busy_kib:
            yield Problem(
                "proxy_busy_buffers_size_kib",
                f"is {self.busy_kib}, limit {self.most_busy_kib} ({self.number - 1} of {self.number} buffers of {self.size_kib} KiB, NGINX keeps one); "
                "lower it, or add buffers",
            )


def needed_for(response_kib: int, size_kib: int) -> int:
    """Buffers that hold a response: three at least, so that NGINX' own busy size fits."""
    return max(-(-response_kib // size_kib), LEAST + 1)


def busy_for(number: int, size_kib: int) -> int:
    """Half of the buffers on their way to the client while the other half fills; two at least, NGINX' own, and one is kept."""
    return min(max(number // 2, 2), number - 1) * size_kib
