"""Tells mmengine the backends of this package; called when ``mmengine.fileio`` is imported."""

from __future__ import annotations


def register_backends() -> None:
    """Have ``backend_args=dict(backend="mmdetpre.Remote")`` and ``"mmdetpre.TarShards"`` name ours."""
    from mmengine.fileio.backends import register_backend

    from mmdetpre.storage.backend import REMOTE, RemoteBackend
    from mmdetpre.storage.shards.backend import TAR_SHARDS, TarShardsBackend

    register_backend(REMOTE, RemoteBackend, force=True)
    register_backend(TAR_SHARDS, TarShardsBackend, force=True)
