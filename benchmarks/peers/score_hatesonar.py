"""Probability of hate or offence by HateSonar."""

import json
import sys

from hatesonar import Sonar

sonar = Sonar()
for line in sys.stdin:
    classes = sonar.ping(text=json.loads(line)["text"])["classes"]
    print(sum(each["confidence"] for each in classes if each["class_name"] != "neither"))
