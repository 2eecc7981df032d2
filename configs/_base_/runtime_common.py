# What the runtimes of the three toolboxes share: makes `mmdetpre.*` types known, refuses to test a checkpoint of other
# classes, lets learning rate and weight decay follow the total batch, stops at a loss that is not finite, validates one
# model on all ranks, saves checkpoints whole or not at all, loads the backbone that `backbone_init` names (see init/),
# and leaves that of the run in work_dirs/CONFIG/backbone_final.pth. Its hooks have names, so that `custom_hooks` is
# yours.
custom_imports = dict(imports=["mmdetpre"])
# mmengine's Runner, but that a changed `data_root` moves all data, `default_hooks.NAME=None` takes out any hook, and a
# GPU is used as `gpu` says: gpu.bfloat16=False trains in float32, gpu.tf32=False makes that exact.
runner_type = "mmdetpre.ConfigRunner"
# What images are read by, such as dict(backend="mmdetpre.TarShards", ...); one for all dataloaders, or one for each of
# train, val and test. Empty: as the data sets and pipelines say.
img_backend_args = dict()
default_hooks = dict(
    runtime_info=dict(type="mmdetpre.LateRuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    logger=dict(type="mmdetpre.BriefLoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="mmdetpre.WholeCheckpointHook", interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    broken_image=dict(type="mmdetpre.BrokenImageHook"),
    checkpoint_fit=dict(type="mmdetpre.CheckpointFitHook"),
    follow_batch=dict(type="mmdetpre.FollowBatchHook"),
    finite_loss=dict(type="mmdetpre.FiniteLossHook"),
    same_buffers=dict(type="mmdetpre.SameBuffersHook"),
    load_backbone=dict(type="mmdetpre.LoadBackboneHook"),
    export_backbone=dict(type="mmdetpre.ExportBackboneHook", overwrite=True, policy="warn"),
)
custom_hooks = []
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    # Seconds that ranks wait while rank 0 computes the scores of all images; torch ends them after 600.
    dist_cfg=dict(backend="nccl", timeout=7200),
)
vis_backends = [dict(type="LocalVisBackend")]
# The console shows what matters, the log file everything; console="full" shows everything.
log_processor = dict(type="mmdetpre.BriefLogProcessor", console="brief", window_size=50, by_epoch=True)
log_level = "INFO"
load_from = None
resume = False
