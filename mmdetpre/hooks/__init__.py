"""Hooks of mmdetpre."""

from mmdetpre.hooks.broken_image_hook import BrokenImageHook
from mmdetpre.hooks.exact_resume_hook import ExactResumeHook

__all__ = ["BrokenImageHook", "ExactResumeHook"]
