package template

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const (
	topic       = "arn:aws:sns:eu-central-1:123456789012:alarms"
	kmsKey      = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
	certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd"
	boundary    = "arn:aws:iam::123456789012:policy/boundary"
)

var (
	openStack       = map[string]string{}
	jwtStack        = map[string]string{"Access": "jwt", "JwtIssuer": "https://login.example.com", "JwtAudience": "web,app"}
	iamStack        = map[string]string{"Access": "iam"}
	vpcStack        = map[string]string{"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}
	cloudFrontStack = map[string]string{"CloudFront": "true", "CorsOrigins": "https://example.com"}
	everythingStack = map[string]string{
		"SecretKmsKeyArn": kmsKey, "CallerRoles": "caller,team/reader", "AlarmTopicArn": topic,
		"ReservedConcurrency": "20", "ProvisionedConcurrency": "2", "PermissionsBoundaryArn": boundary,
		"BasePath": "/phone/v2",
	}
)

// TestRoles: a role may do what is said here, within the permissions boundary, and nothing else.
func TestRoles(t *testing.T) {
	const ofDeployments = "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"
	logs := statement([]any{"logs:CreateLogStream", "logs:PutLogEvents"}, "LogGroup.Arn")
	secret := statement("secretsmanager:GetSecretValue", given["SecretArn"])
	decrypt := statement("kms:Decrypt", kmsKey)
	decrypt["Condition"] = map[string]any{"StringEquals": map[string]any{
		"kms:ViaService":                  "secretsmanager.eu-central-1.amazonaws.com",
		"kms:EncryptionContext:SecretARN": given["SecretArn"],
	}}
	subnets := statement([]any{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}, "*")
	deployed := map[string]*stack{}
	for _, template := range templates {
		deployed[template] = deploy(t, template, openStack)
	}
	for _, test := range []struct {
		template   string
		parameters map[string]string
		want       []any
	}{
		{"template.yaml", openStack, []any{secret, logs}},
		{"template.yaml", vpcStack, []any{secret, logs, subnets}},
		{"template.yaml", cloudFrontStack, []any{secret, logs}},
		{"template.yaml", everythingStack, []any{secret, logs, decrypt}},
		{"examples/rest-api/template.yaml", nil, []any{secret, logs}},
	} {
		s := deployed[test.template].with(test.parameters)
		want := map[string]role{"FunctionRole": {statements: test.want}, "DeploymentRole": {managed: []any{ofDeployments}}}
		for id, r := range s.resources("AWS::IAM::Role") {
			managed, _ := r["ManagedPolicyArns"].([]any)
			if got := (role{statements(r), managed}); !reflect.DeepEqual(got, want[id]) {
				t.Errorf("%s %v: %s may do\n%v\nwant\n%v", test.template, test.parameters, id, got, want[id])
			}
			if got := r["PermissionsBoundary"]; test.parameters["PermissionsBoundaryArn"] != "" && got != boundary {
				t.Errorf("%v: %s has the boundary %v", test.parameters, id, got)
			}
		}
		for id, function := range s.resources("AWS::Lambda::Function") {
			if function["Role"] != "FunctionRole.Arn" {
				t.Errorf("%s has role %v", id, function["Role"])
			}
		}
	}
}

// A role is what a role may do: by its own statements and by policies of AWS.
type role struct{ statements, managed []any }

func statement(action any, resource string) map[string]any {
	return map[string]any{"Effect": "Allow", "Action": action, "Resource": resource}
}

func statements(role map[string]any) []any {
	var all []any
	policies, _ := role["Policies"].([]any)
	for _, policy := range policies {
		all = append(all, object(object(policy)["PolicyDocument"])["Statement"].([]any)...)
	}
	return all
}

func TestPermissions(t *testing.T) {
	s := deploy(t, "template.yaml", openStack)
	for _, parameters := range []map[string]string{openStack, cloudFrontStack, everythingStack} {
		for id, r := range s.with(parameters).resources("AWS::Lambda::Permission") {
			if r["Principal"] == "*" || strings.HasSuffix(fmt.Sprint(r["Principal"]), ".com") && r["SourceArn"] == nil {
				t.Errorf("%v: %s lets in anybody: %v", parameters, id, r)
			}
			if r["FunctionName"] != "VoxkvFunctionAliaslive" {
				t.Errorf("%v: %s goes around the alias: %v", parameters, id, r)
			}
		}
	}
}

func TestWhoMayCall(t *testing.T) {
	s := deploy(t, "template.yaml", openStack)
	for _, test := range []struct {
		parameters map[string]string
		needs      string
	}{
		{openStack, "NONE of <nil>"},
		{jwtStack, "JWT of JwtAuthorizer"},
		{iamStack, "AWS_IAM of <nil>"},
	} {
		const nothing = "<nil> of <nil>" // a browser sends preflights without credentials
		want := map[string]string{
			"$default": test.needs, "ANY /v1/items": test.needs, "ANY /v1/{proxy+}": test.needs,
			"OPTIONS /v1/items": nothing, "OPTIONS /v1/{proxy+}": nothing,
		}
		got := map[string]string{}
		for _, route := range s.with(test.parameters).resources("AWS::ApiGatewayV2::Route") {
			got[route["RouteKey"].(string)] = fmt.Sprintf("%v of %v", route["AuthorizationType"], route["AuthorizerId"])
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v: routes need %q; want %q", test.parameters, got, want)
		}
	}
}

func TestRules(t *testing.T) {
	s := deploy(t, "template.yaml", openStack)
	for _, test := range []struct {
		parameters map[string]string
		refused    int
	}{
		{openStack, 0}, {jwtStack, 0}, {iamStack, 0}, {cloudFrontStack, 0}, {everythingStack, 0},
		{map[string]string{"ApplicationName": "support"}, 1},
		{map[string]string{"ApplicationId": ""}, 1},
		{map[string]string{"ApplicationId": "", "ApplicationName": "support"}, 0},
		{map[string]string{"Access": "jwt"}, 2},
		{map[string]string{"Access": "iam", "CloudFront": "true"}, 1},
		{map[string]string{"LinkPublicKey": linkKey}, 1},
		{map[string]string{"LinkPublicKey2": linkKey}, 1},
		{merged(jwtStack, map[string]string{"LinkPublicKey": linkKey}), 1},
		{merged(jwtStack, links(linkKey)), 1},
		{links(linkKey, otherLinkKey), 0},
		{map[string]string{"DomainName": "kv.example.com", "CertificateArn": certificate}, 0},
		{map[string]string{"DomainName": "kv.example.com"}, 1},
		{vpcStack, 0},
		{map[string]string{"SubnetIds": "subnet-1"}, 1},
		{map[string]string{"SecurityGroupIds": "sg-1"}, 1},
		{map[string]string{"DomainName": "kv.example.com", "CloudFront": "true"}, 1},
		{map[string]string{"DomainName": "kv.example.com", "CertificateArn": certificate, "CloudFront": "true"}, 0},
	} {
		if got := s.with(test.parameters).refusals(); len(got) != test.refused {
			t.Errorf("%v: refused for %q; want %d reasons", test.parameters, got, test.refused)
		}
	}
}

// TestProperties is what stands at a path in a stack: a resource and the way to
// one of its properties, or an output. A comment tells why, where it does not show.
func TestProperties(t *testing.T) {
	const nothing, roles = "<nil>", "arn:aws:iam::123456789012:role/" // of this account and no other
	// A repeated event may overwrite a newer item.
	const notRepeated = "FunctionName:VoxkvFunction MaximumEventAgeInSeconds:60 MaximumRetryAttempts:0 Qualifier:"
	domain := map[string]string{"DomainName": "kv.example.com", "CertificateArn": certificate}
	webACL := "arn:aws:wafv2:us-east-1:123456789012:global/webacl/w/1"
	type properties struct{ parameters, want map[string]string }
	for template, tests := range map[string][]properties{
		"template.yaml": {
			{openStack, map[string]string{
				"VoxkvFunction.Runtime":                                           "provided.al2023",
				"VoxkvFunction.Architectures":                                     "[arm64]",
				"VoxkvFunction.MemorySize":                                        "256",
				"VoxkvFunction.Timeout":                                           "10",
				"VoxkvFunction.VpcConfig":                                         nothing,
				"VoxkvFunction.ReservedConcurrentExecutions":                      nothing, // new accounts have nothing to reserve from
				"VoxkvFunction.LoggingConfig.LogFormat":                           "JSON",
				"VoxkvFunction.LoggingConfig.LogGroup":                            "LogGroup",
				"VoxkvFunction.Environment.Variables.CACHE_SCOPE":                 "public",
				"VoxkvFunction.Environment.Variables.BASE_PATH":                   "",
				"VoxkvFunction.Environment.Variables.CORS_HEADERS":                "",
				"VoxkvFunction.Environment.Variables.SSL_CERT_DIR":                "/nonexistent", // so that the trusted roots are read once, from the bundle
				"VoxkvFunctionAliaslive.ProvisionedConcurrencyConfig":             nothing,        // it costs money
				"VoxkvFunctionEventInvokeConfig":                                  "map[DestinationConfig:map[] " + notRepeated + "live]",
				"LatestEventInvokeConfig":                                         "map[" + notRepeated + "$LATEST]",
				"LogGroup.RetentionInDays":                                        "30",
				"AccessLogGroup.RetentionInDays":                                  "30",
				"Caller1Permission":                                               nothing,
				"HttpApiIntegration.IntegrationUri":                               "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/VoxkvFunction.Arn:live/invocations",
				"HttpApi.CorsConfiguration":                                       nothing, // it would overwrite the function's CORS headers
				"HttpApiDomainName":                                               nothing,
				"HttpApiStage.DefaultRouteSettings.ThrottlingRateLimit":           "50",
				"HttpApiStage.DefaultRouteSettings.ThrottlingBurstLimit":          "100",
				"HttpApiStage.DefaultRouteSettings.DetailedMetricsEnabled":        nothing, // metrics of routes cost more than all the rest, and are looked at nowhere
				"HttpApiStage.RouteSettings.ANY /v1/items.DetailedMetricsEnabled": nothing,
				"HttpApiStage.RouteSettings.ANY /v1/items.ThrottlingRateLimit":    "5", // one request of the query form asks for many keys
				"HttpApiStage.RouteSettings.ANY /v1/items.ThrottlingBurstLimit":   "5",
				"Url":                    "https://HttpApi.execute-api.eu-central-1.amazonaws.com",
				"AliasArn":               "VoxkvFunctionAliaslive",
				"LogGroupName":           "LogGroup",
				"AccessLogGroupName":     "AccessLogGroup",
				"DashboardUrl":           "https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/OperationDashboard",
				"DistributionDomainName": nothing,
				"HttpApiDomainTarget":    nothing,
			}},
			{jwtStack, map[string]string{
				"VoxkvFunction.Environment.Variables.CACHE_SCOPE":  "private",
				"VoxkvFunction.Environment.Variables.CORS_HEADERS": "",
				"JwtAuthorizer.JwtConfiguration":                   "map[Audience:[web app] Issuer:https://login.example.com]",
			}},
			{iamStack, map[string]string{
				"VoxkvFunction.Environment.Variables.CACHE_SCOPE":  "private",
				"VoxkvFunction.Environment.Variables.CORS_HEADERS": "X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256",
			}},
			{vpcStack, map[string]string{
				"VoxkvFunction.VpcConfig": "map[SecurityGroupIds:[sg-1] SubnetIds:[subnet-1 subnet-2]]",
			}},
			{everythingStack, map[string]string{
				"VoxkvFunction.ReservedConcurrentExecutions":                                          "20",
				"VoxkvFunction.Environment.Variables.BASE_PATH":                                       "/phone/v2",
				"VoxkvFunctionAliaslive.ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions": "2",
				"VoxkvFunctionDeploymentGroup.DeploymentConfigName":                                   "CodeDeployDefault.LambdaCanary10Percent5Minutes",
				"VoxkvFunctionDeploymentGroup.AlarmConfiguration.Alarms":                              "[map[Name:NewVersionErrorsAlarm] map[Name:NewVersionFaultsAlarm]]",
			}},
			{domain, map[string]string{
				"HttpApiDomainName.DomainNameConfigurations.0.CertificateArn": certificate,
				"HttpApiDomainName.DomainNameConfigurations.0.EndpointType":   "REGIONAL",
				"HttpApiMapping":      "map[ApiId:HttpApi DomainName:HttpApiDomainName Stage:HttpApiStage]",
				"Url":                 "https://kv.example.com",
				"HttpApiDomainTarget": "HttpApiDomainName.RegionalDomainName",
			}},
			{cloudFrontStack, map[string]string{
				"FunctionUrl.AuthType":  "AWS_IAM",
				"FunctionUrl.Qualifier": "live",
				// With another least life CloudFront would keep what says no-store.
				"CachePolicy.CachePolicyConfig.MinTTL":                                                         "0",
				"CachePolicy.CachePolicyConfig.DefaultTTL":                                                     "0",
				"QueryCachePolicy.CachePolicyConfig.MinTTL":                                                    "0",
				"CachePolicy.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.Headers": "[Origin]",
				// A changed query would be another object.
				"CachePolicy.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig.QueryStringBehavior": "none",
				"QueryCachePolicy.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig":                "map[QueryStringBehavior:whitelist QueryStrings:[key]]",
				"Distribution.DistributionConfig.DefaultCacheBehavior.CachePolicyId":                                            "CachePolicy",
				"Distribution.DistributionConfig.CacheBehaviors.0.PathPattern":                                                  "/v1/items",
				"Distribution.DistributionConfig.CacheBehaviors.0.CachePolicyId":                                                "QueryCachePolicy",
			}},
			{map[string]string{"CallerRoles": "a,team/b"}, map[string]string{
				"Caller1Permission.Principal": roles + "a",
				"Caller2Permission.Principal": roles + "team/b",
				"Caller3Permission":           nothing,
			}},
			{map[string]string{"CallerRoles": "a,b,c", "Dashboard": "false"}, map[string]string{
				"Caller3Permission.Principal": roles + "c",
				"OperationDashboard":          nothing,
				"DashboardUrl":                nothing,
			}},
			// AWS calls itself by another name in China.
			{merged(everythingStack, map[string]string{"AWS::Partition": "aws-cn", "AWS::URLSuffix": "amazonaws.com.cn", "AWS::Region": "cn-north-1"}), map[string]string{
				"FunctionRole.Policies.2.PolicyDocument.Statement.0.Condition.StringEquals.kms:ViaService": "secretsmanager.cn-north-1.amazonaws.com.cn",
				"DashboardUrl": "https://console.amazonaws.cn/cloudwatch/home?region=cn-north-1#dashboards/dashboard/OperationDashboard",
			}},
			{map[string]string{"CloudFront": "true", "BasePath": "/phone"}, map[string]string{
				"CachePolicy.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.HeaderBehavior": "none",
				"VoxkvFunction.Environment.Variables.BASE_PATH":                                                       "", // nothing there puts one into a path
			}},
			{merged(domain, map[string]string{"CloudFront": "true", "WebAclArn": webACL}), map[string]string{
				"HttpApiDomainName":                                                   nothing,
				"Distribution.DistributionConfig.Aliases":                             "[kv.example.com]",
				"Distribution.DistributionConfig.ViewerCertificate.AcmCertificateArn": certificate,
				"Distribution.DistributionConfig.WebACLId":                            webACL,
			}},
		}, "examples/rest-api/template.yaml": {
			{map[string]string{"BasePath": "phone/live"}, map[string]string{
				"VoxkvFunction.Environment.Variables.CACHE_SCOPE":  "private", // because of the API keys
				"VoxkvFunction.Environment.Variables.BASE_PATH":    "phone/live",
				"VoxkvFunction.Environment.Variables.CORS_HEADERS": "X-Api-Key",
				"VoxkvFunction.Environment.Variables.SSL_CERT_DIR": "/nonexistent",
				"VoxkvFunctionEventInvokeConfig":                   "map[DestinationConfig:map[] " + notRepeated + "$LATEST]",
				// The stage cache keeps every answer for one time, and execution logs hold keys.
				"RestApiliveStage.CacheClusterEnabled":             "false",
				"RestApiliveStage.MethodSettings.0.CachingEnabled": "false",
				"RestApiliveStage.MethodSettings.0.LoggingLevel":   "OFF",
				"RestApiliveStage.MethodSettings.1":                nothing,
			}},
		}} {
		var all []map[string]string
		for _, test := range tests {
			all = append(all, test.parameters)
		}
		for i, s := range deployAll(t, template, all) {
			for path, want := range tests[i].want {
				if got := fmt.Sprint(s.at(path)); got != want {
					t.Errorf("%s %v: %s is %s; want %s", template, all[i], path, got, want)
				}
			}
		}
	}
}

func TestCloudFrontKeepsNoError(t *testing.T) {
	s := deploy(t, "template.yaml", cloudFrontStack)
	for _, response := range s.at("Distribution.DistributionConfig.CustomErrorResponses").([]any) {
		if object(response)["ErrorCachingMinTTL"] != 0.0 {
			t.Errorf("CloudFront keeps an error: %v", response)
		}
	}
}

// When they ring is TestAlarmsRing's.
func TestAlarmsTellTheTopic(t *testing.T) {
	for _, template := range templates {
		s := deploy(t, template, openStack)
		for topic, want := range map[string]any{"": nil, topic: []any{topic}} {
			for id, alarm := range s.with(map[string]string{"AlarmTopicArn": topic}).resources("AWS::CloudWatch::Alarm") {
				if isOfDeployment := strings.HasPrefix(id, "NewVersion"); !isOfDeployment && !reflect.DeepEqual(alarm["AlarmActions"], want) {
					t.Errorf("%s: with the topic %q, %s tells %v", template, topic, id, alarm["AlarmActions"])
				}
			}
		}
	}
}

func TestDashboard(t *testing.T) {
	type widget struct {
		Properties struct{ Title, Region string }
	}
	s := deploy(t, "template.yaml", openStack)
	for _, parameters := range []map[string]string{openStack, cloudFrontStack} {
		text := s.with(parameters).at("OperationDashboard.DashboardBody").(string)
		widgets := decode[struct{ Widgets []widget }](t, text).Widgets
		if len(widgets) < 6 {
			t.Errorf("%v: %d widgets", parameters, len(widgets))
		}
		for _, w := range widgets {
			region := "eu-central-1"
			if strings.HasPrefix(w.Properties.Title, "CloudFront") {
				region = "us-east-1" // CloudFront's metrics are nowhere else
			}
			if w.Properties.Title == "" || w.Properties.Region != region {
				t.Errorf("%v: widget %+v", parameters, w)
			}
		}
		behind := parameters["CloudFront"] == "true"
		if strings.Contains(text, "AWS/CloudFront") != behind || strings.Contains(text, "AWS/ApiGateway") == behind || strings.Contains(text, "none") {
			t.Errorf("%v: the dashboard shows another way in: %s", parameters, text)
		}
	}
}

// TestParameters: cfn-lint finds defaults that are not accepted.
func TestParameters(t *testing.T) {
	for _, name := range templates {
		template := source(t, name)
		body := fmt.Sprint(template["Conditions"], template["Resources"])
		for parameter, declared := range object(template["Parameters"]) {
			if object(declared)["Description"] == nil {
				t.Errorf("%s: %s has no description", name, parameter)
			}
			if !strings.Contains(body, "map[Ref:"+parameter+"]") && !strings.Contains(body, "${"+parameter+"}") {
				t.Errorf("%s: %s is not used", name, parameter)
			}
			pattern, ok := object(declared)["AllowedPattern"].(string)
			if !ok {
				continue
			}
			expression := regexp.MustCompile(pattern)
			for _, values := range []map[string]string{given, jwtStack, cloudFrontStack, everythingStack, {"CallerRoles": "a,b,c"}} {
				if value, ok := values[parameter]; ok && !expression.MatchString(value) {
					t.Errorf("%s: %s does not match %s", parameter, value, pattern)
				}
			}
			for _, value := range refused[parameter] {
				if expression.MatchString(value) {
					t.Errorf("%s=%q is accepted", parameter, value)
				}
			}
		}
	}
}

// refused are values that parameters do not accept.
var refused = map[string][]string{
	"CallerRoles": {"arn:aws:iam::999999999999:role/a", "a,b,c,d", "a, b", "*", "/a"},
}

// Lambda takes 4 KB of environment variables, names included; docs/deploy.md
// tells what that leaves for AllowedKeys.
func TestEnvironmentLeavesRoomForKeys(t *testing.T) {
	const room, limit = 3200, 4096
	var situations []map[string]string
	for _, situation := range []map[string]string{openStack, jwtStack, iamStack, cloudFrontStack, everythingStack} {
		situations = append(situations, merged(situation, map[string]string{"AllowedKeys": strings.Repeat("k", room)}))
	}
	for _, s := range deployAll(t, "template.yaml", situations) {
		size := 0
		for name, value := range environment(s) {
			size += len(name) + len(fmt.Sprint(value)) + len(`"":"",`)
		}
		if size > limit {
			t.Errorf("Access=%v CloudFront=%v: with %d characters of AllowedKeys the environment has %d bytes; Lambda takes %d",
				s.parameters["Access"], s.parameters["CloudFront"], room, size, limit)
		}
	}
}

// environment are the variables that the function gets.
func environment(s *stack) map[string]any {
	return object(object(s.resource("VoxkvFunction")["Environment"])["Variables"])
}
