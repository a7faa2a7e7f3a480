# The parameters of infra/lake.yaml.

variable "bucket_name" {
  description = "Bucket of the lake."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$", var.bucket_name))
    error_message = "bucket_name has to match [a-z0-9][a-z0-9.-]{1,61}[a-z0-9]."
  }
}

variable "create_bucket" {
  description = "Whether the stack makes and manages the bucket; \"false\" for one that is there already."
  type        = string
  default     = "true"
  nullable    = false

  validation {
    condition     = contains(["true", "false"], var.create_bucket)
    error_message = "create_bucket is one of true, false."
  }
}

variable "lake_prefix" {
  description = "Prefix of the lake within the bucket, without slashes at its ends."
  type        = string
  default     = "lake"
  nullable    = false

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)$", var.lake_prefix))
    error_message = "lake_prefix has to match [A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the bucket and the query results; empty for SSE-S3."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+)?)$", var.kms_key_arn))
    error_message = "kms_key_arn has to match (arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+)?."
  }
}

variable "alarm_email" {
  description = "Address that alarms go to; empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:([^@ ]+@[^@ ]+)?)$", var.alarm_email))
    error_message = "alarm_email has to match ([^@ ]+@[^@ ]+)?."
  }
}

variable "workgroup_name" {
  description = "Name of the Athena workgroup."
  type        = string
  default     = "nequi_lake"
  nullable    = false

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9._-]{1,128})$", var.workgroup_name))
    error_message = "workgroup_name has to match [A-Za-z0-9._-]{1,128}."
  }
}

variable "athena_scan_limit_bytes" {
  description = "Bytes that one query may scan; Athena stops it beyond. 10 GiB by default, 10 MB at least."
  type        = number
  default     = 10737418240
  nullable    = false

  validation {
    condition     = var.athena_scan_limit_bytes >= 10000000
    error_message = "athena_scan_limit_bytes is 10000000 or more."
  }
}

variable "secret_arn" {
  description = "Secrets Manager secret with the Kaggle credentials; empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+)?)$", var.secret_arn))
    error_message = "secret_arn has to match (arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+)?."
  }
}

variable "source_bucket" {
  description = "Bucket with the raw files that runs fetch; empty for Kaggle."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?)$", var.source_bucket))
    error_message = "source_bucket has to match ([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?."
  }
}

variable "source_prefix" {
  description = "Prefix of the raw files within that bucket, without slashes at its ends; empty for all of it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?)$", var.source_prefix))
    error_message = "source_prefix has to match ([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?."
  }
}

variable "source_kms_key_arn" {
  description = "KMS key of the raw files; empty where they have none of their own."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+)?)$", var.source_kms_key_arn))
    error_message = "source_kms_key_arn has to match (arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+)?."
  }
}

# The parameters of infra/service.yaml, but for those that the lake's stack gives.

variable "image" {
  description = "Image that the Dockerfile makes, with its tag or digest."
  type        = string
  nullable    = false
}

variable "vpc_id" {
  description = "Network of the runs and the service."
  type        = string
  nullable    = false
}

variable "subnets" {
  description = "Two private subnets or more, of different zones, that reach the internet through a NAT gateway."
  type        = list(string)
  nullable    = false
}

variable "assign_public_ip" {
  description = "Whether a run that the trigger starts gets a public address; ENABLED in subnets without a NAT gateway."
  type        = string
  default     = "DISABLED"
  nullable    = false

  validation {
    condition     = contains(["ENABLED", "DISABLED"], var.assign_public_ip)
    error_message = "assign_public_ip is one of ENABLED, DISABLED."
  }
}

variable "schedule" {
  description = "When EventBridge starts a run of the whole lake, cron(…) or rate(…) in UTC; empty for never."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:((cron|rate)\\(.+\\))?)$", var.schedule))
    error_message = "schedule has to match ((cron|rate)\\(.+\\))?."
  }
}

variable "dagster_service" {
  description = "Whether there are Dagster's webserver, daemon and database; disabled leaves runs and their trigger."
  type        = string
  default     = "enabled"
  nullable    = false

  validation {
    condition     = contains(["enabled", "disabled"], var.dagster_service)
    error_message = "dagster_service is one of enabled, disabled."
  }
}

variable "web_access_cidr" {
  description = "Addresses from which the web interface may be opened, such as those of a VPN. With the service."
  type        = string
  default     = "10.0.0.0/8"
  nullable    = false

  validation {
    condition     = can(regex("^(?:[0-9.]+/[0-9]+)$", var.web_access_cidr))
    error_message = "web_access_cidr has to match [0-9.]+/[0-9]+."
  }
}

variable "certificate_arn" {
  description = "Certificate of ACM for the name under which the web interface is opened. With the service."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(arn:aws[a-z-]*:acm:.+)?)$", var.certificate_arn))
    error_message = "certificate_arn has to match (arn:aws[a-z-]*:acm:.+)?."
  }
}

variable "oidc_issuer" {
  description = "Issuer of the OpenID Connect provider that people log in with. With the service."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(https://.+)?)$", var.oidc_issuer))
    error_message = "oidc_issuer has to match (https://.+)?."
  }
}

variable "oidc_authorization_endpoint" {
  description = "The provider's authorization_endpoint. With the service."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(https://.+)?)$", var.oidc_authorization_endpoint))
    error_message = "oidc_authorization_endpoint has to match (https://.+)?."
  }
}

variable "oidc_token_endpoint" {
  description = "The provider's token_endpoint. With the service."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(https://.+)?)$", var.oidc_token_endpoint))
    error_message = "oidc_token_endpoint has to match (https://.+)?."
  }
}

variable "oidc_user_info_endpoint" {
  description = "The provider's userinfo_endpoint. With the service."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(https://.+)?)$", var.oidc_user_info_endpoint))
    error_message = "oidc_user_info_endpoint has to match (https://.+)?."
  }
}

variable "oidc_client_id" {
  description = "The client that the provider has for the web interface. With the service."
  type        = string
  default     = ""
  nullable    = false
}

variable "hash_key_secret_arn" {
  description = "Secret whose value is the key of the hashes that stand for sensitive values; empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(arn:aws[a-z-]*:secretsmanager:.+)?)$", var.hash_key_secret_arn))
    error_message = "hash_key_secret_arn has to match (arn:aws[a-z-]*:secretsmanager:.+)?."
  }
}

variable "oidc_secret_arn" {
  description = "Secrets Manager secret whose value is that client's secret. With the service."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(?:(arn:aws[a-z-]*:secretsmanager:.+)?)$", var.oidc_secret_arn))
    error_message = "oidc_secret_arn has to match (arn:aws[a-z-]*:secretsmanager:.+)?."
  }
}

variable "run_cpu" {
  description = "CPU units of a run; 2048 are two processors."
  type        = string
  default     = "2048"
  nullable    = false
}

variable "run_memory" {
  description = "Memory of a run, MiB."
  type        = string
  default     = "8192"
  nullable    = false
}

variable "run_disk_gib" {
  description = "Disk of a run, GiB. The raw files of one dataset must fit twice."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.run_disk_gib >= 21 && var.run_disk_gib <= 200
    error_message = "run_disk_gib is 21 to 200."
  }
}

# Of the module itself.

variable "lake_template" {
  description = "File that `nequi-lake infra template --output` wrote: the lake's template with the declared datasets."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of both stacks and of what they hold."
  type        = map(string)
  default     = { application = "nequi_lake" }
  nullable    = false
}
