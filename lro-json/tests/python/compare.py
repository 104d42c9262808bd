"""Compares lro-json with the json_format of protobuf's Python implementation.

Usage: compare.py DESCRIPTOR_SET MESSAGE < CASES

A case is a line: the message in base64, a tab, its JSON by lro-json. The answer is a line: the JSON by
protobuf, or an exclamation mark and what is wrong with the JSON of the case.
"""

import base64
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def main():
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet()
    with open(sys.argv[1], "rb") as descriptor_set:
        files.ParseFromString(descriptor_set.read())
    for file in files.file:
        pool.Add(file)
    message_class = message_factory.GetMessageClass(pool.FindMessageTypeByName(sys.argv[2]))
    for line in sys.stdin:
        encoded, json = line.rstrip("\n").split("\t")
        expected = message_class.FromString(base64.b64decode(encoded))
        try:
            parsed = json_format.Parse(json, message_class(), descriptor_pool=pool)
        except json_format.ParseError as error:
            print("!" + str(error).replace("\n", " "))
            continue
        # By their JSON and not by ==, to which NaN is not equal and the order of a map in an Any counts.
        theirs = write(expected, pool)
        if write(parsed, pool) != theirs:
            print("!reads as " + write(parsed, pool))
            continue
        print(theirs)


def write(message, pool):
    return json_format.MessageToJson(message, indent=None, sort_keys=True, descriptor_pool=pool)


if __name__ == "__main__":
    main()
