"""What a training or a test shows on the console; the log file of the run has everything."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.console.brief_log_processor import BriefLogProcessor
    from mmdetpre.console.brief_logger_hook import BriefLoggerHook

__all__ = ["BriefLogProcessor", "BriefLoggerHook"]
__getattr__, __dir__ = on_demand(__name__)
