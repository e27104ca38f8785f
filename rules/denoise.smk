rule denoise:
    input:
        halves=f"{OUT}/halves/{{shard}}.star",
        model=f"{session.model}/model.safetensors",
    output:
        f"{OUT}/denoised/{{shard}}.star",
    params:
        version=VERSIONS["denoise"],
        model=session.model,
        folder=f"{OUT}/denoised",
    log:
        f"{OUT}/logs/denoise/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/denoise/{{shard}}.tsv"
    message:
        "Denoising shard {wildcards.shard}"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=120,
    shell:
        "cryopair denoise --star {input.halves:q} --model {params.model:q} --out {params.folder:q}"
        " --table {output:q} > {log:q} 2>&1"
