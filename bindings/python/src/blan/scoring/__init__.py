"""Scoring millions of photos: Parquet in and out, on this machine, on Ray or in Spark."""

from .frames import schema, score_batches, spark_schema
from .job import Scored, score

__all__ = ["Scored", "schema", "score", "score_batches", "spark_schema"]
