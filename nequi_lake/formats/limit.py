"""A limit on a share of things, counted in whole things."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class ShareLimit:
    """How many of a number of records or rows may be bad or missing.

    Attributes:
        share: of them, 0 to 1.
        floor: how many may be in any case, as a share of a few is less than one. With a share of 0 it counts for
            nothing: none may be.
    """

    share: float
    floor: int = 1

    def allowed(self, count: int) -> int:
        """How many of ``count`` may be: never all, unless the share says so.

        Counted in decimals, so that a limit that is met exactly is met.
        """
        if not self.share:
            return 0
        by_share = int(Decimal(str(self.share)) * count)
        return max(min(self.floor, count - 1), by_share)

    def is_kept(self, bad: int, count: int) -> bool:
        """Whether ``bad`` of ``count`` are within the limit."""
        return bad == 0 or bad <= self.allowed(count)

    def words(self, count: int) -> str:
        """The limit in words."""
        if not self.share:
            return "none may be"
        return f"at most {self.allowed(count):,} may be ({100 * self.share:.4g}%)"


class UnpackLimitError(ValueError):
    """A file unpacks to more than it may; the text says how far, and which setting has the limit."""


@dataclass(frozen=True, kw_only=True)
class UnpackLimits:
    """What a compressed file may unpack to.

    Attributes:
        max_bytes: bytes.
        max_ratio: as a multiple of its own size.
        max_members: files in a zip.
    """

    max_bytes: int
    max_ratio: float
    max_members: int

    def check(self, unpacked_bytes: int, packed_bytes: int) -> None:
        """Refuse so many bytes of a file of so many.

        Raises:
            UnpackLimitError: it is too much.
        """
        if unpacked_bytes > self.max_bytes:
            raise UnpackLimitError(
                f"unpacks to more than {self.max_bytes:,} bytes; if it is what you expect, raise "
                "NEQUI_LAKE_ZIP_MAX_BYTES"
            )
        if unpacked_bytes > self.max_ratio * packed_bytes:
            raise UnpackLimitError(
                f"unpacks to more than {self.max_ratio:,.0f} times its size; if it is what you expect, raise "
                "NEQUI_LAKE_ZIP_MAX_RATIO"
            )
