# The lake, and what runs it, as their two CloudFormation stacks.

resource "aws_cloudformation_stack" "lake" {
  name          = "nequi-lake"
  template_body = file(var.lake_template)
  capabilities  = ["CAPABILITY_IAM"]
  tags          = var.tags

  parameters = {
    BucketName           = var.bucket_name
    CreateBucket         = var.create_bucket
    LakePrefix           = var.lake_prefix
    KmsKeyArn            = var.kms_key_arn
    AlarmEmail           = var.alarm_email
    WorkgroupName        = var.workgroup_name
    AthenaScanLimitBytes = var.athena_scan_limit_bytes
    SecretArn            = var.secret_arn
    SourceBucket         = var.source_bucket
    SourcePrefix         = var.source_prefix
    SourceKmsKeyArn      = var.source_kms_key_arn
  }

  # Bucket and databases stay when the stack goes, but the roles of all who read go with it.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_cloudformation_stack" "service" {
  name          = "nequi-lake-service"
  template_body = file("${path.module}/../service.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  tags          = var.tags

  parameters = {
    Image                     = var.image
    BucketName                = aws_cloudformation_stack.lake.outputs["BucketName"]
    LakePrefix                = aws_cloudformation_stack.lake.outputs["LakePrefix"]
    PipelineRoleArn           = aws_cloudformation_stack.lake.outputs["PipelineRoleArn"]
    TopicArn                  = aws_cloudformation_stack.lake.outputs["TopicArn"]
    AlarmKeyArn               = aws_cloudformation_stack.lake.outputs["AlarmKeyArn"]
    Encryption                = aws_cloudformation_stack.lake.outputs["Encryption"]
    Source                    = aws_cloudformation_stack.lake.outputs["Source"]
    SourcePolicyArn           = lookup(aws_cloudformation_stack.lake.outputs, "SourcePolicyArn", "")
    SecretArn                 = lookup(aws_cloudformation_stack.lake.outputs, "SecretArn", "")
    VpcId                     = var.vpc_id
    Subnets                   = join(",", var.subnets)
    AssignPublicIp            = var.assign_public_ip
    Schedule                  = var.schedule
    DagsterService            = var.dagster_service
    WebAccessCidr             = var.web_access_cidr
    CertificateArn            = var.certificate_arn
    OidcIssuer                = var.oidc_issuer
    OidcAuthorizationEndpoint = var.oidc_authorization_endpoint
    OidcTokenEndpoint         = var.oidc_token_endpoint
    OidcUserInfoEndpoint      = var.oidc_user_info_endpoint
    OidcClientId              = var.oidc_client_id
    OidcSecretArn             = var.oidc_secret_arn
    HashKeySecretArn          = var.hash_key_secret_arn
    RunCpu                    = var.run_cpu
    RunMemory                 = var.run_memory
    RunDiskGiB                = var.run_disk_gib
  }
}
