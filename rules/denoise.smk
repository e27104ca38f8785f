rule denoise:
    input:
        halves=f"{OUT}/halves/{{shard}}.star",
        model=f"{session.model}/model.safetensors",
    output:
        f"{OUT}/denoised/{{shard}}.star",
    log:
        f"{OUT}/logs/denoise/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/denoise/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=120,
    params:
        version=VERSIONS["denoise"],
        what=session.config.denoising.what,
        model=subpath(input.model, parent=True),
        folder=subpath(output[0], parent=True),
    message:
        "Denoising shard {wildcards.shard}"
    shell:
        "cryopair denoise --star {input.halves:q} --model {params.model:q} --what {params.what} --out {params.folder:q}"
        " --table {output:q} > {log:q} 2>&1"
