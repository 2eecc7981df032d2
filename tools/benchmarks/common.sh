# Sourced by the scripts of mmdetection/, mmsegmentation/ and mmpretrain/: one backbone file in, one run out.
#
#   benchmark train|test PACKAGE dist|slurm CONFIG BACKBONE [arguments of mim...]
#
# The run of a config and a backbone has one folder, so that the test finds what the training left there:
#   WORK_DIR         default work_dirs/benchmarks/PACKAGE/CONFIG/BACKBONE
# Environment of every script:
#   GPUS             number of GPUs, default 8; 0 runs on CPUs: one process with dist, RANKS of them with slurm
#   CHECKPOINT       test: another checkpoint than the last of the run
# and of slurm:
#   PARTITION        required
#   GPUS_PER_NODE    default 8, or GPUS if that is less; with GPUS=0: ranks of a node
#   RANKS            with GPUS=0: number of processes, default 1, in a partition that needs no GPU
#   CPUS_PER_TASK    default: one core, and one for each process that loads images (num_workers of the config)
#   SRUN_ARGS        more arguments of srun, in one string

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# torchvision://resnet101 -> torchvision-resnet101; work_dirs/sniper_coco/backbone_final.pth -> sniper_coco-backbone_final
backbone_name() {
    local name=${1/:\/\///}
    [[ $name =~ ([^/]+/)?[^/]+$ ]] || die "$1 names no file."
    name=${BASH_REMATCH[0]#./}
    name=${name%.pth} name=${name%.safetensors} name=${name%.pkl}
    echo "${name//[^A-Za-z0-9._]/-}"
}

# read_config TASK CONFIG BACKBONE: cores of a rank, one and those of its loader. Without the hook a training would go on
# and never look at the backbone.
read_config() {
    python - "$@" <<'PYTHON' || die "$2 has no LoadBackboneHook, so $3 would not be loaded. Base it on" \
        "configs/_base_/runtime.py, or give it custom_imports = dict(imports=[\"mmdetpre\"]) and" \
        "custom_hooks = [dict(type=\"mmdetpre.LoadBackboneHook\")]."
import sys

from mmengine.config import Config

config = Config.fromfile(sys.argv[2], import_custom_modules=False)
hooks = [*(config.get("custom_hooks") or []), *filter(None, (config.get("default_hooks") or {}).values())]
print(1 + (config.get(f"{sys.argv[1]}_dataloader") or {}).get("num_workers", 0))
sys.exit(sys.argv[1] == "train" and not any(str(hook.get("type")).endswith("LoadBackboneHook") for hook in hooks))
PYTHON
}

benchmark() {
    local task=$1 package=$2 launcher=$3 config=${4-} backbone=${5-}
    if [[ $# -lt 5 || $config == -* ]]; then
        sed -n '2,/^set /{/^#/p}' "$0" | cut -c3- >&2
        exit 2
    fi
    shift 5
    [[ $launcher == dist || -n ${PARTITION:-} ]] || die "slurm needs a partition: PARTITION=name $0 ..."

    # mim would take a config of the toolbox with the same name instead.
    [[ -f $config ]] || die "$config is not there."
    [[ $backbone == *://* || -f $backbone ]] || die "$backbone is not there."
    local name work_dir toolbox
    name=$(backbone_name "$backbone")
    toolbox=$(python -m mmdetpre.compat.toolbox_commands "$package") # the fork's mim knows it by another name
    work_dir=${WORK_DIR:-work_dirs/benchmarks/$package/$(basename "$config" .py)/$name}
    if [[ -f $work_dir/backbone.txt && $(<"$work_dir/backbone.txt") != "$backbone" ]]; then
        die "$work_dir is the run of $(<"$work_dir/backbone.txt"). Choose another WORK_DIR."
    fi
    if [[ $task == train && -e $work_dir/last_checkpoint && " $* " != *" --resume"* ]]; then
        die "$work_dir holds a run: go on with --resume, choose another WORK_DIR, or remove it."
    fi
    local checkpoint=${CHECKPOINT:-} cores
    if [[ $task == test && -z $checkpoint ]]; then
        [[ -f $work_dir/last_checkpoint ]] || die "$work_dir has no checkpoint: train first, or set CHECKPOINT."
        checkpoint=$(<"$work_dir/last_checkpoint")
    fi
    [[ $task$launcher == testdist ]] || cores=$(read_config "$task" "$config" "$backbone")

    local gpus=${GPUS:-8} launch=(--launcher none --gpus 0)
    if [[ $launcher == slurm ]]; then
        local ranks=$((gpus ? gpus : ${RANKS:-1})) per_node=${GPUS_PER_NODE:-8} srun_args=${SRUN_ARGS:-}
        [[ $gpus != 0 ]] || srun_args="--gres=none $srun_args" # after mim's own --gres
        launch=(
            --launcher slurm --gpus "$ranks" --gpus-per-node $((ranks < per_node ? ranks : per_node))
            --cpus-per-task "${CPUS_PER_TASK:-$cores}" --partition "$PARTITION" --srun-args "$srun_args"
        )
    elif [[ $gpus != 0 ]]; then
        launch=(--launcher pytorch --gpus "$gpus")
    fi
    if [[ $task == train ]]; then
        mkdir -p "$work_dir"
        echo "$backbone" >"$work_dir/backbone.txt"
        mim train "$toolbox" "$config" "${launch[@]}" --work-dir "$work_dir" "$@" \
            --cfg-options "backbone_init.checkpoint=$backbone"
    else
        mim test "$toolbox" "$config" --checkpoint "$checkpoint" "${launch[@]}" --work-dir "$work_dir/test" "$@"
    fi
}
