rule report:
    input:
        session.merged_outputs(),
    output:
        report(
            f"{OUT}/report.html",
            caption="../workflow/report/report.rst",
            category="cryopair",
        ),
    log:
        f"{OUT}/logs/report.log",
    benchmark:
        f"{OUT}/benchmarks/report.tsv"
    conda:
        "../envs/cryopair.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        version=VERSIONS["report"],
        output=subpath(output[0], parent=True),
        model=session.model,
    message:
        "Writing the report"
    shell:
        "cryopair report --output {params.output:q} --model {params.model:q} > {log:q} 2>&1"
