package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
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

func TestRoles(t *testing.T) {
	logs := statement([]any{"logs:CreateLogStream", "logs:PutLogEvents"}, "LogGroup.Arn")
	secret := statement("secretsmanager:GetSecretValue", given["SecretArn"])
	decrypt := statement("kms:Decrypt", kmsKey)
	decrypt["Condition"] = map[string]any{"StringEquals": map[string]any{
		"kms:ViaService":                  "secretsmanager.eu-central-1.amazonaws.com",
		"kms:EncryptionContext:SecretARN": given["SecretArn"],
	}}
	subnets := statement([]any{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}, "*")
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
		s := deploy(t, test.template, test.parameters)
		r := s.resource("FunctionRole")
		if r["ManagedPolicyArns"] != nil {
			t.Errorf("%s %v: the function's role has managed policies %v", test.template, test.parameters, r["ManagedPolicyArns"])
		}
		if got := statements(r); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s %v: the function may do\n%v\nwant\n%v", test.template, test.parameters, got, test.want)
		}
		for id, function := range s.resources("AWS::Lambda::Function") {
			if function["Role"] != "FunctionRole.Arn" {
				t.Errorf("%s has role %v", id, function["Role"])
			}
		}
	}
}

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

func TestNoWildcards(t *testing.T) {
	for _, parameters := range []map[string]string{openStack, jwtStack, iamStack, cloudFrontStack, everythingStack} {
		s := deploy(t, "template.yaml", parameters)
		for id, r := range s.resources("AWS::IAM::Role") {
			for _, granted := range statements(r) {
				for _, resource := range words(object(granted)["Resource"]) {
					if strings.Contains(resource, "*") {
						t.Errorf("%v: %s may reach %s", parameters, id, resource)
					}
				}
			}
			if got := r["PermissionsBoundary"]; parameters["PermissionsBoundaryArn"] != "" && got != boundary {
				t.Errorf("%v: %s has the boundary %v", parameters, id, got)
			}
		}
		for id, r := range s.resources("AWS::Lambda::Permission") {
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
	for _, test := range []struct {
		parameters map[string]string
		auth       string
		authorizer any
	}{
		{openStack, "NONE", nil},
		{jwtStack, "JWT", "JwtAuthorizer"},
		{iamStack, "AWS_IAM", nil},
	} {
		s := deploy(t, "template.yaml", test.parameters)
		if refused := s.refusals(); refused != nil {
			t.Errorf("%v: refused: %v", test.parameters, refused)
		}
		keys := []string{}
		for id, route := range s.resources("AWS::ApiGatewayV2::Route") {
			keys = append(keys, route["RouteKey"].(string))
			if strings.HasSuffix(id, "PreflightRoute") {
				if route["AuthorizationType"] != nil {
					t.Errorf("%v: preflights need %v", test.parameters, route["AuthorizationType"])
				}
				continue
			}
			if route["AuthorizationType"] != test.auth || route["AuthorizerId"] != test.authorizer {
				t.Errorf("%v: %s needs %v of %v; want %s", test.parameters, id, route["AuthorizationType"], route["AuthorizerId"], test.auth)
			}
		}
		slices.Sort(keys)
		want := []string{"$default", "ANY /v1/items", "ANY /v1/{proxy+}", "OPTIONS /v1/items", "OPTIONS /v1/{proxy+}"}
		if !slices.Equal(keys, want) {
			t.Errorf("%v: routes %q; want %q", test.parameters, keys, want)
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
	const nothing = "<nil>"
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
				"VoxkvFunctionEventInvokeConfig.Qualifier":                        "live",
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

func TestCloudFront(t *testing.T) {
	s := deploy(t, "template.yaml", cloudFrontStack)
	for _, kind := range []string{"Api", "Route", "Stage", "Integration"} {
		if around := s.resources("AWS::ApiGatewayV2::" + kind); len(around) > 0 {
			t.Errorf("a way around CloudFront: %v", around)
		}
	}
	for _, response := range s.at("Distribution.DistributionConfig.CustomErrorResponses").([]any) {
		if object(response)["ErrorCachingMinTTL"] != 0.0 {
			t.Errorf("CloudFront keeps an error: %v", response)
		}
	}
}

// AWS calls itself by another name in China.
func TestChina(t *testing.T) {
	s := deploy(t, "template.yaml", everythingStack)
	s.parameters["AWS::Partition"], s.parameters["AWS::URLSuffix"], s.parameters["AWS::Region"] = "aws-cn", "amazonaws.com.cn", "cn-north-1"
	var via any
	for _, granted := range statements(s.resource("FunctionRole")) {
		if condition := object(object(granted)["Condition"]); condition != nil {
			via = object(condition["StringEquals"])["kms:ViaService"]
		}
	}
	if want := "secretsmanager.cn-north-1.amazonaws.com.cn"; via != want {
		t.Errorf("kms:ViaService is %v; want %s", via, want)
	}
	if got := fmt.Sprint(s.output("DashboardUrl")); !strings.HasPrefix(got, "https://console.amazonaws.cn/") {
		t.Errorf("DashboardUrl = %s", got)
	}
}

// A repeated event may overwrite a newer item.
func TestEventsAreNotRepeated(t *testing.T) {
	for template, want := range map[string][]string{
		"template.yaml":                   {"$LATEST", "live"},
		"examples/rest-api/template.yaml": {"$LATEST"},
	} {
		var qualifiers []string
		for id, config := range deploy(t, template, openStack).resources("AWS::Lambda::EventInvokeConfig") {
			qualifiers = append(qualifiers, config["Qualifier"].(string))
			if fmt.Sprint(config["MaximumRetryAttempts"]) != "0" || fmt.Sprint(config["MaximumEventAgeInSeconds"]) != "60" {
				t.Errorf("%s: %s repeats events: %v", template, id, config)
			}
		}
		slices.Sort(qualifiers)
		if !slices.Equal(qualifiers, want) {
			t.Errorf("%s: retries are off for %v; want %v", template, qualifiers, want)
		}
	}
}

func TestDirectCallers(t *testing.T) {
	s := deploy(t, "template.yaml", openStack)
	const role = "arn:aws:iam::123456789012:role/" // of this account and no other
	pattern := regexp.MustCompile(object(object(s.template["Parameters"])["CallerRoles"])["AllowedPattern"].(string))
	for _, refused := range []string{"arn:aws:iam::999999999999:role/a", "a,b,c,d", "a, b", "*", "/a"} {
		if pattern.MatchString(refused) {
			t.Errorf("CallerRoles=%s is accepted", refused)
		}
	}
	for callers, want := range map[string][]string{
		"":         nil,
		"a":        {role + "a"},
		"a,team/b": {role + "a", role + "team/b"},
		"a,b,c":    {role + "a", role + "b", role + "c"},
	} {
		if !pattern.MatchString(callers) {
			t.Errorf("CallerRoles=%s is refused", callers)
		}
		var got []string
		for id, r := range s.with(map[string]string{"CallerRoles": callers}).resources("AWS::Lambda::Permission") {
			if strings.HasPrefix(id, "Caller") {
				got = append(got, r["Principal"].(string))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("CallerRoles=%s lets in %q; want %q", callers, got, want)
		}
	}
}

// When they ring is TestAlarmsRing's.
func TestAlarmsTellTheTopic(t *testing.T) {
	for _, template := range templates {
		for id, alarm := range deploy(t, template, map[string]string{"AlarmTopicArn": topic}).resources("AWS::CloudWatch::Alarm") {
			if isOfDeployment := strings.HasPrefix(id, "NewVersion"); !isOfDeployment && !reflect.DeepEqual(alarm["AlarmActions"], []any{topic}) {
				t.Errorf("%s: %s tells %v; want the topic", template, id, alarm["AlarmActions"])
			}
		}
		for id, alarm := range deploy(t, template, openStack).resources("AWS::CloudWatch::Alarm") {
			if alarm["AlarmActions"] != nil {
				t.Errorf("%s: %s without a topic tells %v", template, id, alarm["AlarmActions"])
			}
		}
	}
}

func TestDashboard(t *testing.T) {
	for _, parameters := range []map[string]string{openStack, cloudFrontStack} {
		s := deploy(t, "template.yaml", parameters)
		var body struct {
			Widgets []struct {
				Type       string
				Properties struct{ Title, Region string }
			}
		}
		if err := json.Unmarshal([]byte(s.resource("OperationDashboard")["DashboardBody"].(string)), &body); err != nil {
			t.Fatalf("%v: %v", parameters, err)
		}
		if len(body.Widgets) < 6 {
			t.Errorf("%v: %d widgets", parameters, len(body.Widgets))
		}
		for _, widget := range body.Widgets {
			region := "eu-central-1"
			if strings.HasPrefix(widget.Properties.Title, "CloudFront") {
				region = "us-east-1" // CloudFront's metrics are nowhere else
			}
			if widget.Properties.Title == "" || widget.Properties.Region != region {
				t.Errorf("%v: widget %+v", parameters, widget)
			}
		}
		text := s.resource("OperationDashboard")["DashboardBody"].(string)
		behind := parameters["CloudFront"] == "true"
		if strings.Contains(text, "AWS/CloudFront") != behind || strings.Contains(text, "AWS/ApiGateway") == behind || strings.Contains(text, "none") {
			t.Errorf("%v: the dashboard shows another way in: %s", parameters, text)
		}
	}
	off := deploy(t, "template.yaml", map[string]string{"Dashboard": "false"})
	if got := off.resources("AWS::CloudWatch::Dashboard"); len(got) > 0 {
		t.Errorf("Dashboard=false makes %v", got)
	}
}

// Keys are in paths and queries, so neither may be logged.
func TestLogs(t *testing.T) {
	s := deploy(t, "template.yaml", openStack)
	formats := []any{s.at("HttpApiStage.AccessLogSettings.Format")}
	for _, r := range deploy(t, "examples/rest-api/template.yaml", nil).resources("AWS::ApiGateway::Stage") {
		formats = append(formats, object(r["AccessLogSetting"])["Format"])
	}
	for _, format := range formats {
		if !json.Valid([]byte(format.(string))) {
			t.Errorf("access log is not JSON: %s", format)
		}
		if found := regexp.MustCompile(`\$context\.(path|customDomain\.basePathMatched|authorizer\.claims)\b|querystring`).FindString(format.(string)); found != "" {
			t.Errorf("access log holds %s", found)
		}
	}
	for id, group := range s.resources("AWS::Logs::LogGroup") {
		if fmt.Sprint(group["RetentionInDays"]) != "30" {
			t.Errorf("%s keeps logs for %v days", id, group["RetentionInDays"])
		}
	}
}

func TestRESTStageCacheIsOff(t *testing.T) {
	stages := deploy(t, "examples/rest-api/template.yaml", nil).resources("AWS::ApiGateway::Stage")
	if len(stages) != 1 {
		t.Fatalf("stages: %v", stages)
	}
	for _, stage := range stages {
		if stage["CacheClusterEnabled"] != false {
			t.Errorf("CacheClusterEnabled = %v", stage["CacheClusterEnabled"])
		}
		for _, method := range stage["MethodSettings"].([]any) {
			if object(method)["CachingEnabled"] != false || object(method)["LoggingLevel"] != "OFF" {
				t.Errorf("method settings %v", method)
			}
		}
	}
}

func TestParameters(t *testing.T) {
	for _, name := range templates {
		template := source(t, name)
		body := maps.Clone(template)
		delete(body, "Parameters")
		delete(body, "Metadata")
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		for parameter, declared := range object(template["Parameters"]) {
			p := object(declared)
			if p["Description"] == nil {
				t.Errorf("%s: %s has no description", name, parameter)
			}
			if !strings.Contains(string(text), `{"Ref":"`+parameter+`"}`) && !strings.Contains(string(text), "${"+parameter+"}") {
				t.Errorf("%s: %s is not used", name, parameter)
			}
			if pattern, ok := p["AllowedPattern"].(string); ok {
				checkPattern(t, parameter, pattern, p["Default"])
			}
		}
	}
}

func checkPattern(t *testing.T, parameter, pattern string, standard any) {
	t.Helper()
	expression, err := regexp.Compile(pattern)
	if err != nil {
		t.Errorf("%s: %v", parameter, err)
		return
	}
	if standard != nil && !expression.MatchString(fmt.Sprint(standard)) {
		t.Errorf("%s: the default %v does not match %s", parameter, standard, pattern)
	}
	for _, values := range []map[string]string{given, jwtStack, cloudFrontStack, everythingStack} {
		if value, ok := values[parameter]; ok && !expression.MatchString(value) {
			t.Errorf("%s: %s does not match %s", parameter, value, pattern)
		}
	}
}

// Lambda takes 4 KB of environment variables, names included; docs/deploy.md
// tells what that leaves for AllowedKeys.
func TestEnvironmentLeavesRoomForKeys(t *testing.T) {
	const room, limit = 3200, 4096
	for _, situation := range []map[string]string{openStack, jwtStack, iamStack, cloudFrontStack, everythingStack} {
		size := 0
		for name, value := range environment(deploy(t, "template.yaml", merged(situation, map[string]string{"AllowedKeys": strings.Repeat("k", room)}))) {
			size += len(name) + len(fmt.Sprint(value)) + len(`"":"",`)
		}
		if size > limit {
			t.Errorf("%v: with %d characters of AllowedKeys the environment has %d bytes; Lambda takes %d", situation, room, size, limit)
		}
	}
}

// environment are the variables that the function gets.
func environment(s *stack) map[string]any {
	return object(object(s.resource("VoxkvFunction")["Environment"])["Variables"])
}
