# runtime.py for mmsegmentation, whose schedules count iterations.
_base_ = "runtime.py"
default_scope = "mmseg"
custom_hooks = [
    dict(type="mmdetpre.BrokenImageHook"),
    dict(type="mmdetpre.CheckpointFitHook"),
    dict(type="mmdetpre.FollowBatchHook"),
    dict(type="mmdetpre.FiniteLossHook"),
    dict(type="mmdetpre.LoadBackboneHook"),
    dict(type="mmdetpre.ExportBackboneHook", overwrite=True, policy="warn"),
]
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=5000),
    visualization=dict(_delete_=True, type="SegVisualizationHook"),
)
log_processor = dict(by_epoch=False)
visualizer = dict(_delete_=True, type="SegLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
