"""The store in memory keeps what every store keeps."""

from __future__ import annotations

from pathlib import Path

from journeykit.testing import MemoryStore, StoreContract


class TestMemoryStore(StoreContract):
    def make(self, folder: Path) -> MemoryStore:
        return MemoryStore()
