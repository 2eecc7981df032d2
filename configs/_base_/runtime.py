# The runtime of mmdet. An interrupted training resumes in mid-epoch.
_base_ = "runtime_common.py"
default_scope = "mmdet"
default_hooks = dict(
    visualization=dict(type="DetVisualizationHook"),
    exact_resume=dict(type="mmdetpre.ExactResumeHook"),
    # Beside the checkpoint of each epoch, one to resume from in mid-epoch.
    mid_epoch=dict(
        type="mmdetpre.WholeCheckpointHook", by_epoch=False, interval=1000, max_keep_ckpts=2, save_last=False
    ),
)
visualizer = dict(type="DetLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")], name="visualizer")
