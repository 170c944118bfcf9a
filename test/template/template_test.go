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
	for _, policy := range role["Policies"].([]any) {
		all = append(all, object(object(policy)["PolicyDocument"])["Statement"].([]any)...)
	}
	return all
}

func TestNoWildcards(t *testing.T) {
	for _, parameters := range []map[string]string{openStack, jwtStack, iamStack, cloudFrontStack, everythingStack} {
		s := deploy(t, "template.yaml", parameters)
		for id, r := range s.resources("AWS::IAM::Role") {
			for _, granted := range statementsOrNone(r) {
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

func statementsOrNone(role map[string]any) []any {
	if role["Policies"] == nil {
		return nil
	}
	return statements(role)
}

func TestWhoMayCall(t *testing.T) {
	for _, test := range []struct {
		parameters  map[string]string
		auth, scope string
		authorizer  any
	}{
		{openStack, "NONE", "public", nil},
		{jwtStack, "JWT", "private", "JwtAuthorizer"},
		{iamStack, "AWS_IAM", "private", nil},
	} {
		s := deploy(t, "template.yaml", test.parameters)
		if refused := s.refusals(); refused != nil {
			t.Errorf("%v: refused: %v", test.parameters, refused)
		}
		if got := environment(s)["CACHE_SCOPE"]; got != test.scope {
			t.Errorf("%v: CACHE_SCOPE = %v; want %s", test.parameters, got, test.scope)
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
		if cors := s.resource("HttpApi")["CorsConfiguration"]; cors != nil {
			t.Errorf("%v: the gateway overwrites the function's CORS headers: %v", test.parameters, cors)
		}
	}
}

func TestJWTAuthorizer(t *testing.T) {
	got := deploy(t, "template.yaml", jwtStack).resource("JwtAuthorizer")["JwtConfiguration"]
	want := map[string]any{"Issuer": "https://login.example.com", "Audience": []any{"web", "app"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("JwtConfiguration = %v; want %v", got, want)
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

func TestCloudFront(t *testing.T) {
	s := deploy(t, "template.yaml", cloudFrontStack)
	for _, kind := range []string{"Api", "Route", "Stage", "Integration"} {
		if around := s.resources("AWS::ApiGatewayV2::" + kind); len(around) > 0 {
			t.Errorf("a way around CloudFront: %v", around)
		}
	}
	if got := s.resource("FunctionUrl")["AuthType"]; got != "AWS_IAM" {
		t.Errorf("the Function URL takes requests with AuthType %v", got)
	}
	policy := object(s.resource("CachePolicy")["CachePolicyConfig"])
	key := object(policy["ParametersInCacheKeyAndForwardedToOrigin"])
	if policy["MinTTL"] != 0.0 || policy["DefaultTTL"] != 0.0 {
		t.Errorf("MinTTL %v, DefaultTTL %v; want 0: CloudFront would keep what says no-store", policy["MinTTL"], policy["DefaultTTL"])
	}
	if got := object(key["HeadersConfig"])["Headers"]; !reflect.DeepEqual(got, []any{"Origin"}) {
		t.Errorf("with a list of origins the cache key holds the headers %v; want Origin", got)
	}
	config := object(s.resource("Distribution")["DistributionConfig"])
	if got := object(config["DefaultCacheBehavior"])["CachePolicyId"]; got != "CachePolicy" {
		t.Errorf("cached by %v", got)
	}
	if got := object(key["QueryStringsConfig"]); got["QueryStringBehavior"] != "none" {
		t.Errorf("by default the cache key holds the query: %v; a changed one would be another object", got)
	}
	query := object(config["CacheBehaviors"].([]any)[0])
	policy = object(s.resource("QueryCachePolicy")["CachePolicyConfig"])
	want := map[string]any{"QueryStringBehavior": "whitelist", "QueryStrings": []any{"key"}}
	if got := object(policy["ParametersInCacheKeyAndForwardedToOrigin"])["QueryStringsConfig"]; query["PathPattern"] != "/v1/items" ||
		query["CachePolicyId"] != "QueryCachePolicy" || !reflect.DeepEqual(got, want) || policy["MinTTL"] != 0.0 {
		t.Errorf("the query form %v is cached by %v", query, policy)
	}
	if got := environment(s)["BASE_PATH"]; got != nil && got != "" {
		t.Errorf("BASE_PATH is %v; CloudFront tells the query form by its path /v1/items", got)
	}
	for _, errorResponse := range config["CustomErrorResponses"].([]any) {
		if object(errorResponse)["ErrorCachingMinTTL"] != 0.0 {
			t.Errorf("CloudFront keeps an error: %v", errorResponse)
		}
	}
	open := deploy(t, "template.yaml", map[string]string{"CloudFront": "true"})
	key = object(object(open.resource("CachePolicy")["CachePolicyConfig"])["ParametersInCacheKeyAndForwardedToOrigin"])
	if got := object(key["HeadersConfig"])["HeaderBehavior"]; got != "none" {
		t.Errorf("with any origin, headers in the cache key: %v", got)
	}
}

func TestCloudFrontDomain(t *testing.T) {
	s := deploy(t, "template.yaml", map[string]string{
		"CloudFront": "true", "DomainName": "kv.example.com", "CertificateArn": certificate,
		"WebAclArn": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/w/1",
	})
	config := object(s.resource("Distribution")["DistributionConfig"])
	if got := config["Aliases"]; !reflect.DeepEqual(got, []any{"kv.example.com"}) {
		t.Errorf("Aliases = %v", got)
	}
	if got := object(config["ViewerCertificate"])["AcmCertificateArn"]; got != certificate {
		t.Errorf("AcmCertificateArn = %v", got)
	}
	if config["WebACLId"] == nil {
		t.Error("no WebACLId")
	}
}

func TestHTTPAPIDomain(t *testing.T) {
	parameters := map[string]string{"DomainName": "kv.example.com", "CertificateArn": certificate}
	s := deploy(t, "template.yaml", parameters)
	configurations := s.resource("HttpApiDomainName")["DomainNameConfigurations"].([]any)
	if got := object(configurations[0]); got["CertificateArn"] != certificate || got["EndpointType"] != "REGIONAL" {
		t.Errorf("the domain's configuration is %v", got)
	}
	want := map[string]any{"ApiId": "HttpApi", "DomainName": "HttpApiDomainName", "Stage": "HttpApiStage"}
	if got := s.resource("HttpApiMapping"); !reflect.DeepEqual(got, want) {
		t.Errorf("mapping %v; want %v", got, want)
	}
	if got := s.output("Url"); got != "https://kv.example.com" {
		t.Errorf("Url = %v", got)
	}
	if got := s.output("HttpApiDomainTarget"); got != "HttpApiDomainName.RegionalDomainName" {
		t.Errorf("HttpApiDomainTarget = %v", got)
	}
	parameters["CloudFront"] = "true"
	if got := s.with(parameters).resources("AWS::ApiGatewayV2::DomainName"); len(got) > 0 {
		t.Errorf("behind CloudFront the HTTP API has a domain: %v", got)
	}
	if got := s.with(openStack).resources("AWS::ApiGatewayV2::DomainName"); len(got) > 0 {
		t.Errorf("without DomainName: %v", got)
	}
}

func TestOutputs(t *testing.T) {
	s := deploy(t, "template.yaml", openStack)
	for name, want := range map[string]string{
		"Url":                    "https://HttpApi.execute-api.eu-central-1.amazonaws.com",
		"AliasArn":               "VoxkvFunctionAliaslive",
		"LogGroupName":           "LogGroup",
		"AccessLogGroupName":     "AccessLogGroup",
		"DashboardUrl":           "https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/OperationDashboard",
		"DistributionDomainName": "<nil>",
		"HttpApiDomainTarget":    "<nil>",
	} {
		if got := fmt.Sprint(s.output(name)); got != want {
			t.Errorf("%s = %s; want %s", name, got, want)
		}
	}
	s.parameters["AWS::Partition"] = "aws-cn"
	if got := fmt.Sprint(s.output("DashboardUrl")); !strings.HasPrefix(got, "https://console.amazonaws.cn/") {
		t.Errorf("in China, DashboardUrl = %s", got)
	}
}

// AWS calls itself by another name in China.
func TestKeyInChina(t *testing.T) {
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
}

func TestVPC(t *testing.T) {
	want := map[string]any{"SubnetIds": []any{"subnet-1", "subnet-2"}, "SecurityGroupIds": []any{"sg-1"}}
	if got := deploy(t, "template.yaml", vpcStack).resource("VoxkvFunction")["VpcConfig"]; !reflect.DeepEqual(got, want) {
		t.Errorf("VpcConfig = %v; want %v", got, want)
	}
	if got := deploy(t, "template.yaml", openStack).resource("VoxkvFunction")["VpcConfig"]; got != nil {
		t.Errorf("VpcConfig = %v by default", got)
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

// A page must be able to send what the gateway asks it for.
func TestPageHeaders(t *testing.T) {
	for _, test := range []struct {
		template   string
		parameters map[string]string
		want       string
	}{
		{"template.yaml", openStack, ""},
		{"template.yaml", jwtStack, ""},
		{"template.yaml", iamStack, "X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256"},
		{"examples/rest-api/template.yaml", openStack, "X-Api-Key"},
	} {
		if got := environment(deploy(t, test.template, test.parameters))["CORS_HEADERS"]; got != test.want {
			t.Errorf("%s %v: CORS_HEADERS = %v; want %q", test.template, test.parameters, got, test.want)
		}
	}
}

// One request of the query form asks up to 50 questions.
func TestQueryThrottling(t *testing.T) {
	stage := deploy(t, "template.yaml", openStack).resource("HttpApiStage")
	route := object(object(stage["RouteSettings"])["ANY /v1/items"])
	if got := fmt.Sprintf("%v %v", route["ThrottlingRateLimit"], route["ThrottlingBurstLimit"]); got != "5 5" {
		t.Errorf("throttling of ANY /v1/items: %s; want 5 5", got)
	}
	for name, settings := range map[string]map[string]any{"default": object(stage["DefaultRouteSettings"]), "query": route} {
		if settings["DetailedMetricsEnabled"] == true {
			t.Errorf("%s route: metrics of routes are on, cost more than all the rest, and are looked at nowhere", name)
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

func TestDeployment(t *testing.T) {
	s := deploy(t, "template.yaml", everythingStack)
	alias := s.resource("VoxkvFunctionAliaslive")
	if got := object(alias["ProvisionedConcurrencyConfig"])["ProvisionedConcurrentExecutions"]; fmt.Sprint(got) != "2" {
		t.Errorf("provisioned concurrency %v; want 2", got)
	}
	group := s.resource("VoxkvFunctionDeploymentGroup")
	if got := group["DeploymentConfigName"]; got != "CodeDeployDefault.LambdaCanary10Percent5Minutes" {
		t.Errorf("DeploymentConfigName = %v", got)
	}
	want := []any{map[string]any{"Name": "NewVersionErrorsAlarm"}, map[string]any{"Name": "NewVersionFaultsAlarm"}}
	if got := object(group["AlarmConfiguration"])["Alarms"]; !reflect.DeepEqual(got, want) {
		t.Errorf("rolled back on %v; want %v", got, want)
	}
	function := s.resource("VoxkvFunction")
	if got := fmt.Sprintf("%v %v %v MB %v s, %v at once", function["Runtime"], function["Architectures"],
		function["MemorySize"], function["Timeout"], function["ReservedConcurrentExecutions"]); got != "provided.al2023 [arm64] 256 MB 10 s, 20 at once" {
		t.Errorf("function: %s", got)
	}
	bare := deploy(t, "template.yaml", openStack)
	if r := bare.resource("VoxkvFunction"); r["ReservedConcurrentExecutions"] != nil {
		t.Errorf("reserved %v by default; new accounts have nothing to reserve from", r["ReservedConcurrentExecutions"])
	}
	if r := bare.resource("VoxkvFunctionAliaslive"); r["ProvisionedConcurrencyConfig"] != nil {
		t.Errorf("provisioned %v by default, which costs money", r["ProvisionedConcurrencyConfig"])
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
	stage := s.resource("HttpApiStage")
	formats := []any{object(stage["AccessLogSettings"])["Format"]}
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
	if got := object(stage["DefaultRouteSettings"]); fmt.Sprintf("%v %v", got["ThrottlingRateLimit"], got["ThrottlingBurstLimit"]) != "50 100" {
		t.Errorf("throttling: %v", got)
	}
	for id, group := range s.resources("AWS::Logs::LogGroup") {
		if fmt.Sprint(group["RetentionInDays"]) != "30" {
			t.Errorf("%s keeps logs for %v days", id, group["RetentionInDays"])
		}
	}
	if got := object(s.resource("VoxkvFunction")["LoggingConfig"]); got["LogFormat"] != "JSON" || got["LogGroup"] != "LogGroup" {
		t.Errorf("LoggingConfig = %v", got)
	}
}

func TestRESTStageCacheIsOff(t *testing.T) {
	s := deploy(t, "examples/rest-api/template.yaml", nil)
	stages := s.resources("AWS::ApiGateway::Stage")
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
	if got := environment(s)["CACHE_SCOPE"]; got != "private" {
		t.Errorf("with API keys CACHE_SCOPE = %v; want private", got)
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

// A base path gets to the function, but through CloudFront: nothing there puts one into a path.
func TestBasePath(t *testing.T) {
	rest := map[string]string{"BasePath": "phone/live"}
	through := map[string]string{"BasePath": "/phone", "CloudFront": "true"}
	for _, test := range []struct {
		template   string
		parameters map[string]string
		want       string
	}{
		{"template.yaml", openStack, ""},
		{"template.yaml", everythingStack, "/phone/v2"},
		{"template.yaml", through, ""},
		{"examples/rest-api/template.yaml", rest, "phone/live"},
	} {
		if got := environment(deploy(t, test.template, test.parameters))["BASE_PATH"]; got != test.want {
			t.Errorf("%s %v: BASE_PATH = %v; want %q", test.template, test.parameters, got, test.want)
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

// The trusted roots are read once, from the bundle: the only other thing that
// crypto/x509 would read are directories that hold the same ones again.
func TestRootsAreReadOnce(t *testing.T) {
	for _, template := range templates {
		directory := environment(deploy(t, template, openStack))["SSL_CERT_DIR"]
		if directory != "/nonexistent" {
			t.Errorf("%s: SSL_CERT_DIR is %v; want a directory that there is not", template, directory)
		}
	}
}

// environment are the variables that the function gets.
func environment(s *stack) map[string]any {
	return object(object(s.resource("VoxkvFunction")["Environment"])["Variables"])
}
