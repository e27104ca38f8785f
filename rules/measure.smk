rule measure:
    input:
        denoised=f"{OUT}/denoised/{{model}}/{{shard}}.star",
        model=lambda wildcards: session.weights(wildcards.model),
    output:
        table=f"{OUT}/quality/{{model}}/{{shard}}.csv",
        rings=f"{OUT}/quality/{{model}}/{{shard}}_rings.csv",
    log:
        f"{OUT}/logs/measure/{{model}}/{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{model}}/{{shard}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=120,
    params:
        journal=session.journal,
        version=VERSIONS["measure"],
        model=subpath(input.model, parent=True),
        training_set=lambda wildcards: session.measure_options(wildcards.model),
    message:
        "Measuring shard {wildcards.shard} with {wildcards.model}"
    shell:
        "cryopair measure --star {input.denoised:q} --journal {params.journal:q} --model {params.model:q} {params.training_set:q}"
        " --out {output.table:q} > {log:q} 2>&1"
