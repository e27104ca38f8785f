rule report:
    input:
        session.merged_outputs(),
    output:
        report(
            f"{OUT}/report.html",
            caption="../workflow/report/report.rst",
            category="cryopair",
        ),
    params:
        version=VERSIONS["report"],
        output=OUT,
        model=session.model,
    log:
        f"{OUT}/logs/report.log",
    benchmark:
        f"{OUT}/benchmarks/report.tsv"
    message:
        "Writing the report"
    conda:
        "../envs/cryopair.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "cryopair report --output {params.output:q} --model {params.model:q} > {log:q} 2>&1"
