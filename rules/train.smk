rule train:
    input:
        ancient(session.manifest),
    output:
        weights=f"{OUT}/models/{session.training_id}/model.safetensors",
        card=f"{OUT}/models/{session.training_id}/model.json",
        curve=f"{OUT}/models/{session.training_id}/training.csv",
    log:
        f"{OUT}/logs/train/{session.training_id}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{session.training_id}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=720,
    params:
        folder=subpath(output.weights, parent=True),
        steps=session.config.training.steps,
        pixel_size=session.config.training.pixel_size or "native",
        seed=session.config.training.seed,
    message:
        "Training model {session.training_id}"
    shell:
        "cryopair train --manifest {input:q} --out {params.folder:q} --steps {params.steps} --pixel-size {params.pixel_size}"
        " --seed {params.seed} > {log:q} 2>&1"
