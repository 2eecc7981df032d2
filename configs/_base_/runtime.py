# Once, for every config: makes `mmdetpre.*` types known, lets interrupted training go on in mid-epoch, refuses to test
# a checkpoint of other classes, lets learning rate and weight decay follow the total batch, stops at a loss that is not
# finite, saves checkpoints whole or not at all, loads the backbone that `backbone_init` names (see init/), and
# leaves that of the run in work_dirs/CONFIG/backbone_final.pth.
default_scope = "mmdet"
custom_imports = dict(imports=["mmdetpre"])
custom_hooks = [
    dict(type="mmdetpre.ExactResumeHook"),
    dict(type="mmdetpre.BrokenImageHook"),
    dict(type="mmdetpre.CheckpointFitHook"),
    dict(type="mmdetpre.FollowBatchHook"),
    dict(type="mmdetpre.FiniteLossHook"),
    dict(type="mmdetpre.LoadBackboneHook"),
    dict(type="mmdetpre.ExportBackboneHook", overwrite=True, policy="warn"),
    # Beside the checkpoint of each epoch, one to go on from in mid-epoch.
    dict(type="mmdetpre.WholeCheckpointHook", by_epoch=False, interval=1000, max_keep_ckpts=2, save_last=False),
]
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="mmdetpre.BriefLoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="mmdetpre.WholeCheckpointHook", interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="DetVisualizationHook"),
)
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0))
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="DetLocalVisualizer", vis_backends=vis_backends, name="visualizer")
# The console shows what matters, the log file everything; console="full" shows everything.
log_processor = dict(type="mmdetpre.BriefLogProcessor", console="brief", window_size=50, by_epoch=True)
log_level = "INFO"
load_from = None
resume = False
