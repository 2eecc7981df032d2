# The runtime of mmsegmentation, whose schedules count iterations.
_base_ = "runtime_common.py"
default_scope = "mmseg"
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=5000),
    visualization=dict(type="SegVisualizationHook"),
)
log_processor = dict(by_epoch=False)
visualizer = dict(type="SegLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
