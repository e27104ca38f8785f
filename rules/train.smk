rule train:
    input:
        ancient(session.manifest("{model}")),
    output:
        weights=f"{OUT}/models/{{model}}/model.safetensors",
        card=f"{OUT}/models/{{model}}/model.json",
        curve=f"{OUT}/models/{{model}}/training.csv",
    log:
        f"{OUT}/logs/train/{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{model}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=720,
    params:
        folder=subpath(output.weights, parent=True),
        steps=lambda wildcards: session.training_of(wildcards.model).steps,
        pixel_size=session.config.training.pixel_size or "native",
        seed=session.config.training.seed,
    message:
        "Training model {wildcards.model}"
    shell:
        "cryopair train --manifest {input:q} --out {params.folder:q} --steps {params.steps} --pixel-size {params.pixel_size}"
        " --seed {params.seed} > {log:q} 2>&1"
