# runtime.py for mmpretrain.
_base_ = "runtime.py"
default_scope = "mmpretrain"
custom_hooks = [
    dict(type="mmdetpre.BrokenImageHook"),
    dict(type="mmdetpre.CheckpointFitHook"),
    dict(type="mmdetpre.FollowBatchHook"),
    dict(type="mmdetpre.FiniteLossHook"),
    dict(type="mmdetpre.LoadBackboneHook"),
    dict(type="mmdetpre.ExportBackboneHook", overwrite=True, policy="warn"),
]
default_hooks = dict(visualization=dict(_delete_=True, type="VisualizationHook", enable=False))
visualizer = dict(_delete_=True, type="UniversalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
