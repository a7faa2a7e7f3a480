output "bucket_name" {
  description = "Bucket of the lake."
  value       = aws_cloudformation_stack.lake.outputs["BucketName"]
}

output "lake_uri" {
  description = "Value of NEQUI_LAKE_URI."
  value       = aws_cloudformation_stack.lake.outputs["LakeUri"]
}

output "workgroup_name" {
  description = "Value of NEQUI_LAKE_ATHENA_WORKGROUP."
  value       = aws_cloudformation_stack.lake.outputs["WorkgroupName"]
}

output "topic_arn" {
  description = "Value of NEQUI_LAKE_ALERT_TOPIC."
  value       = aws_cloudformation_stack.lake.outputs["TopicArn"]
}

output "pipeline_role_arn" {
  description = "Role of the runs."
  value       = aws_cloudformation_stack.lake.outputs["PipelineRoleArn"]
}

output "reader_role_arn" {
  description = "Role that reads the tables and queries them."
  value       = aws_cloudformation_stack.lake.outputs["ReaderRoleArn"]
}

output "encryption" {
  description = "Value of NEQUI_LAKE_ENCRYPTION."
  value       = aws_cloudformation_stack.lake.outputs["Encryption"]
}

output "lake_prefix" {
  description = "Prefix of the lake within the bucket."
  value       = aws_cloudformation_stack.lake.outputs["LakePrefix"]
}

output "alarm_key_arn" {
  description = "Key that encrypts the topic's messages; who publishes needs it."
  value       = aws_cloudformation_stack.lake.outputs["AlarmKeyArn"]
}

output "source" {
  description = "Value of NEQUI_LAKE_SOURCE."
  value       = aws_cloudformation_stack.lake.outputs["Source"]
}

output "source_policy_arn" {
  description = "Policy that reads the source in its bucket."
  value       = lookup(aws_cloudformation_stack.lake.outputs, "SourcePolicyArn", null)
}

output "secret_arn" {
  description = "Secret with the Kaggle credentials."
  value       = lookup(aws_cloudformation_stack.lake.outputs, "SecretArn", null)
}

output "cluster_arn" {
  description = "ECS cluster of the runs."
  value       = aws_cloudformation_stack.service.outputs["ClusterArn"]
}

output "log_group" {
  description = "Log of all containers."
  value       = aws_cloudformation_stack.service.outputs["LogGroup"]
}

output "trigger_name" {
  description = "Function that starts a run."
  value       = aws_cloudformation_stack.service.outputs["TriggerName"]
}

output "web_dns_name" {
  description = "Where the CNAME of the certificate's name points to."
  value       = lookup(aws_cloudformation_stack.service.outputs, "WebDnsName", null)
}

output "run_dataset_arn" {
  description = "State machine that runs the dataset which its input names, and ends as the run does."
  value       = aws_cloudformation_stack.service.outputs["RunDatasetArn"]
}
