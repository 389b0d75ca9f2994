"""A Spark table with the probabilities of its rows: python on_spark.py student.onnx rows.parquet scored.parquet"""

import sys

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf, struct

from sklkd import OnnxPredictor


def scored(spark, table, predictor):
    """The table with a column of probabilities; the predictor goes once to each worker, which keeps it."""
    shared = spark.sparkContext.broadcast(predictor)

    @pandas_udf("array<double>")
    def proba(rows: pd.DataFrame) -> pd.Series:
        return pd.Series(list(shared.value.predict_proba(rows)), dtype=object)

    return table.withColumn("proba", proba(struct(*predictor.feature_names_in_)))


if __name__ == "__main__":
    student, source, target = sys.argv[1:]
    spark = SparkSession.builder.getOrCreate()
    scored(spark, spark.read.parquet(source), OnnxPredictor(student)).write.parquet(target)
