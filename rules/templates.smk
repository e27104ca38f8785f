rule templates:
    input:
        lambda wildcards: ancient(
            session.tables("denoised", session.template_shards(wildcards.model))
        ),
    output:
        table=f"{session.templates('{model}')}/templates.star",
        stack=f"{session.templates('{model}')}/templates.mrcs",
    log:
        f"{OUT}/logs/templates/{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/templates/{{model}}.tsv"
    conda:
        "../envs/cryopair.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        folder=subpath(output.table, parent=True),
        diameter=session.config.picking.diameter,
        images=session.config.picking.images,
        limits=session.options.limits("picking"),
    message:
        "Averaging particles into templates"
    shell:
        "cryopair templates {input:q} --diameter {params.diameter} --images {params.images} --out {params.folder:q}"
        " {params.limits:q} > {log:q} 2>&1"
