"""Hooks of mmdetpre."""

from mmdetpre.hooks.broken_image_hook import BrokenImageHook
from mmdetpre.hooks.checkpoint_fit_hook import CheckpointFitHook
from mmdetpre.hooks.exact_resume_hook import ExactResumeHook

__all__ = ["BrokenImageHook", "CheckpointFitHook", "ExactResumeHook"]
