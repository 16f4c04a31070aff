from server.bench.report import Row
def page() -> list[Row]:
    return []
