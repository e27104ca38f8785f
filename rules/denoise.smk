rule denoise:
    input:
        halves=f"{OUT}/halves/{{shard}}.star",
        model=lambda wildcards: session.weights(wildcards.model),
    output:
        f"{OUT}/denoised/{{model}}/{{shard}}.star",
    log:
        f"{OUT}/logs/denoise/{{model}}/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/denoise/{{model}}/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=120,
    params:
        journal=session.journal,
        version=VERSIONS["denoise"],
        what=session.config.denoising.what,
        model=subpath(input.model, parent=True),
        folder=subpath(output[0], parent=True),
    message:
        "Denoising shard {wildcards.shard} with {wildcards.model}"
    shell:
        "cryopair denoise --star {input.halves:q} --journal {params.journal:q} --model {params.model:q} --what {params.what} --out {params.folder:q}"
        " --table {output:q} > {log:q} 2>&1"
