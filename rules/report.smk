rule report:
    input:
        session.merged_outputs(),
    output:
        page=report(
            f"{OUT}/report.html",
            caption="../workflow/report/report.rst",
            category="Session report",
            labels={"contents": "the whole session on one page"},
        ),
        figures=report(
            directory(f"{OUT}/report/figures"),
            patterns=["{figure}.svg"],
            caption="../workflow/report/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        tables=report(
            directory(f"{OUT}/report/tables"),
            patterns=["{table}.csv"],
            caption="../workflow/report/tables.rst",
            category="Tables",
            labels={"table": "{table}"},
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
        output=subpath(output.page, parent=True),
        model=lambda wildcards: session.model,
    message:
        "Writing the report"
    shell:
        "cryopair report --output {params.output:q} --model {params.model:q} > {log:q} 2>&1"
