"""VADER's compound sentiment, from -1 (negative) to 1."""

import json
import sys

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

analyzer = SentimentIntensityAnalyzer()
for line in sys.stdin:
    print(analyzer.polarity_scores(json.loads(line)["text"])["compound"])
