"""Amazon Bedrock's wire (docs.aws.amazon.com/bedrock/latest/APIReference): its parts, one concern a module."""
